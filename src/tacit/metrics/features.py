"""Features for the measures: raw pixels, a classifier trained here, any network, or a file the user names."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from tacit.errors import InputError
from tacit.metrics import _check
from tacit.metrics.figure import Figure

FORMAT = 1
Extractor = str | os.PathLike[str] | nn.Module | Callable[[Tensor], Tensor]


def pixels(x: Any) -> np.ndarray:
    """The data itself as features: (n, …) flattened to float64 (n, d).

    >>> import numpy as np
    >>> pixels(np.zeros((5, 1, 4, 4))).shape
    (5, 16)
    """
    return _check.rows(x, "x")


def extract(extractor: Extractor, x: Any, *, batch_size: int = 1024, device: str | None = None) -> np.ndarray:
    """Features of every row, batch by batch.

    Args:
        extractor: "pixels"; the path of a file that ``Classifier.save`` wrote; a ``Classifier``; any module
            or function from a float32 batch (b, …) to features (b, d).
        x: data (n, …) in the units the extractor was made for.
        batch_size: rows in a batch.
        device: where the batches go and the module runs; default where its weights are.

    Returns:
        float64 (n, d).

    Raises:
        InputError: the file cannot be used, the data do not fit, or the features are not one row a row.

    >>> import numpy as np
    >>> extract(lambda b: b.mean(dim=(1, 2, 3))[:, None], np.ones((3, 1, 4, 4))).tolist()
    [[1.0], [1.0], [1.0]]
    """
    if isinstance(extractor, str) and extractor == "pixels":
        return pixels(x)
    if isinstance(extractor, str | os.PathLike):
        extractor = load_classifier(extractor)
    if isinstance(extractor, Classifier):
        extractor.check(x)
        return _batches(extractor, extractor.features, x, batch_size, device)
    return _batches(extractor if isinstance(extractor, nn.Module) else None, extractor, x, batch_size, device)


class Classifier(nn.Module):
    """A small network that gives features and class probabilities; made by ``train_classifier``.

    It standardises its input itself, so it takes data in the units that it was trained on.

    Attributes:
        shape: shape of a row, (C, H, W) or (d,).
        classes: the labels, int64 (k,), in the order of the probabilities.
        accuracy: held-out accuracy, a ``Figure``, or None.

    ``forward(x)``: float tensor (b, *shape) → logits (b, k). ``features(x)``: → (b, f), last hidden layer.
    """

    mean: Tensor
    std: Tensor
    limits: Tensor

    def __init__(self, shape: tuple[int, ...], classes: Any, *, width: int = 32, n_features: int = 128):
        super().__init__()
        self.shape, self.classes = tuple(shape), np.asarray(classes, dtype=np.int64)
        self.options = {"width": width, "n_features": n_features}
        self.accuracy: Figure | None = None
        channels = (self.shape[0], 1, 1) if len(self.shape) == 3 else self.shape
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))
        self.register_buffer("limits", torch.tensor([-torch.inf, torch.inf]))
        self.body = (
            _conv(self.shape, width, n_features) if len(self.shape) == 3 else _mlp(self.shape[0], n_features)
        )
        self.head = nn.Linear(n_features, len(self.classes))

    def features(self, x: Tensor) -> Tensor:
        """Features (b, f), ≥ 0."""
        return self.body((x.float() - self.mean) / self.std)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (b, k)."""
        return self.head(self.features(x))

    def probabilities(self, x: Any, *, batch_size: int = 1024, device: str | None = None) -> np.ndarray:
        """Class probabilities, float64 (n, k), of data (n, *shape)."""
        self.check(x)
        return _batches(self, lambda b: self(b).cpu().double().softmax(1), x, batch_size, device)

    def predict(self, x: Any, *, batch_size: int = 1024, device: str | None = None) -> np.ndarray:
        """The likeliest label of every row, int64 (n,)."""
        self.check(x)
        return self.classes[_batches(self, lambda b: self(b), x, batch_size, device).argmax(1)]

    def check(self, x: Any) -> None:
        """Refuse data of another shape, or plainly in other units (bytes for [0, 1] and the reverse)."""
        x = _raw(x)
        shape = tuple(x.shape)
        if shape[1:] != self.shape:
            raise InputError(
                f"x has rows of shape {shape[1:]}; this classifier expects {self.shape}; reshape or train "
                "another"
            )
        if not shape[0]:
            raise InputError("x is empty; expected at least one row; give some data")
        low, high = float(x.min()), float(x.max())
        known_low, known_high = self.limits.tolist()
        whole = "int" in str(x.dtype)
        if len(shape) == 4 and np.isfinite(known_high):
            span = known_high - known_low
            small = known_high > 20 and 0 < high <= 1 and not whole
            if high > known_high + 9 * span or low < known_low - 9 * span or small:
                raise InputError(
                    f"x runs from {low:.3g} to {high:.3g}; this classifier was trained on "
                    f"{known_low:.3g}..{known_high:.3g}; "
                    "bring the pictures to the same scale"
                )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write weights (safetensors) and their description (JSON in its header) as one file, atomically."""
        about = {
            "format": FORMAT,
            "shape": list(self.shape),
            "classes": self.classes.tolist(),
            "options": self.options,
            "accuracy": self.accuracy.to_json() if self.accuracy else None,
        }
        tensors = {k: v.detach().cpu().contiguous() for k, v in self.state_dict().items()}
        data, path = save(tensors, metadata={"tacit-features": json.dumps(about)}), Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as f:
            try:
                f.write(data)
                f.flush()
                os.fsync(f.fileno())
                os.chmod(f.name, 0o644)
                os.replace(f.name, path)
            except BaseException:
                os.unlink(f.name)
                raise


def load_classifier(path: str | os.PathLike[str]) -> Classifier:
    """Read a classifier that ``Classifier.save`` wrote. Nothing is unpickled.

    Raises:
        InputError: no such file, another kind of file, a newer format, or weights that do not fit.
    """
    if not os.path.isfile(path):
        raise InputError(
            f"there is no file {os.fspath(path)}; expected a classifier's file; train one or check the path"
        )
    try:
        with safe_open(path, framework="pt") as f:
            about = json.loads((f.metadata() or {}).get("tacit-features", "null"))
            tensors = {k: f.get_tensor(k) for k in f.keys()}  # noqa: SIM118
        if about is None:
            raise KeyError("tacit-features")
        if about["format"] > FORMAT:
            raise InputError(
                f"{os.fspath(path)} has format {about['format']}; this version reads up to {FORMAT}; "
                "update the package"
            )
        model = Classifier(tuple(about["shape"]), about["classes"], **about["options"])
        model.load_state_dict(tensors)
        model.accuracy = Figure(**about["accuracy"]) if about["accuracy"] else None
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as e:
        if isinstance(e, InputError):
            raise
        raise InputError(
            f"{os.fspath(path)} does not hold a classifier of this package; expected a file written by "
            "save; train one"
        ) from e
    return model.eval()


def _raw(x: Any) -> np.ndarray | Tensor:
    """x without a copy where it holds numbers already (bytes stay bytes)."""
    if isinstance(x, Tensor):
        return x
    x = np.asarray(x)
    return x if x.dtype.kind in "fiub" else _check.array(x, "x")


def _batches(
    module: nn.Module | None,
    function: Callable[[Tensor], Tensor],
    x: Any,
    batch_size: int,
    device: str | None,
) -> np.ndarray:
    step = _check.whole(batch_size, "batch_size", 1)
    if not np.ndim(x) or not len(x):
        raise InputError("x is empty; expected at least one row; give some data")
    x = _raw(x)
    training, out = module is not None and module.training, []
    home = next((p.device for p in module.parameters()), torch.device("cpu")) if module is not None else None
    where = torch.device(device) if device is not None else home or torch.device("cpu")
    if module is not None:
        module.eval().to(where)
    try:
        with torch.inference_mode():
            for i in range(0, len(x), step):
                part = x[i : i + step]
                part = part if isinstance(part, Tensor) else torch.from_numpy(np.array(part, order="C"))
                y = function(part.to(where).float())
                if not isinstance(y, Tensor) or y.ndim < 1 or len(y) != len(part):
                    raise InputError(
                        f"the extractor gave {tuple(np.shape(y))} for {len(part)} rows; expected (rows, "
                        "features); change it"
                    )
                out.append(y.reshape(len(y), -1).cpu().double())
    finally:
        if module is not None:
            module.train(training).to(home)
    return _check.rows(torch.cat(out), "features")


def _conv(shape: tuple[int, ...], width: int, n_features: int) -> nn.Module:
    c, h, w = shape
    layers: list[nn.Module] = []

    def block(inner: int, outer: int, kernel: int, stride: int) -> None:
        conv = nn.Conv2d(inner, outer, kernel, stride, kernel // 2, bias=False)
        layers.extend([conv, nn.BatchNorm2d(outer), nn.ReLU()])

    stride = 2 if min(h, w) >= 16 else 1
    block(c, width, 5, stride)
    h, w, inner, outer = -(-h // stride), -(-w // stride), width, 2 * width
    while min(h, w) >= 8:
        block(inner, outer, 3, 1)
        layers.append(nn.MaxPool2d(2))
        h, w, inner, outer = h // 2, w // 2, outer, min(2 * outer, 4 * width)
    block(inner, 2 * width, 3, 1)
    if min(h, w) >= 4:
        layers.append(nn.MaxPool2d(2))
        h, w = h // 2, w // 2
    layers.extend([nn.Flatten(), nn.Linear(2 * width * h * w, n_features, bias=False)])
    return nn.Sequential(*layers, nn.BatchNorm1d(n_features), nn.ReLU())


def _mlp(d: int, n_features: int) -> nn.Module:
    hidden = [nn.Linear(d, 256, bias=False), nn.BatchNorm1d(256), nn.ReLU()]
    hidden += [nn.Linear(256, 256, bias=False), nn.BatchNorm1d(256), nn.ReLU()]
    return nn.Sequential(
        *hidden, nn.Linear(256, n_features, bias=False), nn.BatchNorm1d(n_features), nn.ReLU()
    )
