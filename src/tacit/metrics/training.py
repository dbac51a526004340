"""Training of the classifier whose features and labels the measures use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tacit.errors import InputError
from tacit.metrics import _check
from tacit.metrics.features import Classifier
from tacit.metrics.figure import mean_figure


def train_classifier(
    x: Any,
    y: Any,
    *,
    test: tuple[Any, Any] | None = None,
    held_out: float = 0.1,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float = 3e-3,
    shift: int | None = None,
    width: int = 32,
    n_features: int = 128,
    seed: int = 0,
    device: str = "cpu",
    progress: Callable[[int, int, float], None] | None = None,
) -> Classifier:
    """Train a small network to tell the classes apart: convolutions for pictures, a perceptron for vectors.

    Cross-entropy with label smoothing .05, AdamW (weight decay .01), one cycle of the learning rate; pictures
    are shifted by up to ``shift`` pixels at random.

    Args:
        x: data (n, C, H, W) or (n, d), any unit; the units are learnt, so give the same ones later.
        y: whole-number labels (n,); −1 is left out.
        test: ``(x, y)`` for the held-out accuracy; without it a share ``held_out`` of the rows is set aside.
        held_out: that share, in (0, 1).
        epochs: passes over the data; default 4, or as many as make 300 updates.
        batch_size: rows an update; default 256, or 128 below 10,000 rows.
        lr: peak learning rate.
        shift: pixels; default 2 for sides of at least 16, 0 for smaller pictures.
        width: channels of the first convolution. n_features: size of the feature layer.
        seed: of weights, order, shifts and the held-out rows.
        device: "cpu", "cuda", "mps".
        progress: called as ``progress(update, updates, loss)``.

    Returns:
        A ``Classifier`` in evaluation mode, on the CPU, with ``.accuracy`` (held-out, binomial standard
        error).

    Raises:
        InputError: one class only, shapes that differ, NaN, too few rows.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(400) % 2
    >>> net = train_classifier(rng.normal(size=(400, 3)) + 4 * y[:, None], y, epochs=20)
    >>> float(net.accuracy) > 0.95
    True
    """
    images, labels = _data(x, y, "x", "y")
    if test is None:
        if not 0 < held_out < 1:
            raise InputError(f"held_out is {held_out}; expected a share between 0 and 1; change it")
        order = np.random.default_rng(_check.whole(seed, "seed", 0)).permutation(len(labels))
        cut = max(1, round(held_out * len(labels)))
        test_x, test_y = images[order[:cut]], labels[order[:cut]]
        images, labels = images[order[cut:]], labels[order[cut:]]
    else:
        test_x, test_y = _data(*test, "test x", "test y")
    classes = np.unique(labels)
    if len(classes) < 2:
        raise InputError("y holds one class only; expected at least two; give rows of more classes")
    if len(labels) < 2 * len(classes):
        raise InputError(
            f"x has {len(labels)} rows for {len(classes)} classes; expected at least two a class; give more"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Classifier(images.shape[1:], classes, width=width, n_features=n_features)
    _scale(model, images)
    if shift is None:
        shift = 0 if images.ndim != 4 else 2 if min(images.shape[2:]) >= 16 else 0
    if batch_size is None:
        batch_size = 256 if len(labels) >= 10_000 else 128
    batch_size = min(_check.whole(batch_size, "batch_size", 2), len(labels))
    per_epoch = len(labels) // batch_size
    epochs = max(4, -(-300 // per_epoch)) if epochs is None else _check.whole(epochs, "epochs", 1)
    _fit(
        model, images, np.searchsorted(classes, labels), epochs, batch_size, lr, shift, seed, device, progress
    )
    # back to the plain layout, so that a saved and loaded copy computes the same bits
    model.cpu().to(memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
    model.accuracy = mean_figure(model.predict(test_x) == test_y, 0.0, 1.0)
    return model


def _fit(
    model: nn.Module,
    x: np.ndarray,
    y: np.ndarray,
    epochs: int,
    batch_size: int,
    lr: float,
    shift: int,
    seed: int,
    device: str,
    progress: Callable[[int, int, float], None] | None,
) -> None:
    model.to(device).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    rng = _check.torch_generator(seed)
    updates = epochs * (len(y) // batch_size)
    optimiser = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, lr, total_steps=updates, pct_start=0.2)
    done, target = 0, torch.from_numpy(y)
    for _ in range(epochs):
        order = torch.randperm(len(y), generator=rng)
        for i in range(len(y) // batch_size):
            index = order[i * batch_size : (i + 1) * batch_size]
            batch = torch.from_numpy(x[index.numpy()]).float()
            if shift:
                batch = _shifted(batch, shift, rng)
            loss = F.cross_entropy(model(batch.to(device)), target[index].to(device), label_smoothing=0.05)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            done += 1
            if progress is not None:
                progress(done, updates, float(loss.detach()))


def _shifted(x: Tensor, most: int, rng: torch.Generator) -> Tensor:
    """Every picture moved by whole pixels, up to ``most`` in each direction, its edge repeated."""
    n, _, h, w = x.shape
    padded = F.pad(x, (most,) * 4, mode="replicate")
    dy, dx = torch.randint(0, 2 * most + 1, (2, n, 1), generator=rng)
    rows, columns = dy + torch.arange(h), dx + torch.arange(w)
    return padded[torch.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(
        0, 3, 1, 2
    )


def _data(x: Any, y: Any, x_name: str, y_name: str) -> tuple[np.ndarray, np.ndarray]:
    raw = x.detach().cpu().numpy() if isinstance(x, Tensor) else np.asarray(x)
    if raw.dtype != np.uint8:
        raw = _check.array(raw, x_name).astype(np.float32)
    labels = _check.labels(y, y_name)
    if raw.ndim not in (2, 4) or raw.size == 0:
        raise InputError(
            f"{x_name} has shape {raw.shape}; expected pictures (n, C, H, W) or vectors (n, d); reshape it"
        )
    if len(raw) != len(labels):
        raise InputError(
            f"{y_name} has {len(labels)} labels for {len(raw)} rows; expected one a row; align them"
        )
    if labels.dtype.kind not in "iub":
        raise InputError(f"{y_name} holds words; expected whole-number labels; number the classes first")
    known = labels.astype(np.int64) != -1
    if not known.any():
        raise InputError(f"every label in {y_name} is -1 (unknown); expected known labels; give some")
    return (raw, labels.astype(np.int64)) if known.all() else (raw[known], labels[known].astype(np.int64))


def _scale(model: Classifier, x: np.ndarray) -> None:
    axes = (0, 2, 3) if x.ndim == 4 else (0,)
    sample = x[:: max(1, len(x) // 10_000)].astype(np.float64)
    mean, std = sample.mean(axes), sample.std(axes)
    model.mean.copy_(torch.from_numpy(mean).reshape(model.mean.shape))
    model.std.copy_(torch.from_numpy(np.where(std > 1e-8, std, 1.0)).reshape(model.std.shape))
    model.limits.copy_(torch.tensor([float(x.min()), float(x.max())]))
