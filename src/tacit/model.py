"""A fitted system: JSON and safetensors on disk, never a pickle; its uses on new data."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from tacit import data
from tacit.core.game import System
from tacit.core.nets import Nets
from tacit.core.part import from_json, get, names, to_json
from tacit.core.rng import Rng
from tacit.data import Source, Spec
from tacit.errors import InputError, NotSupported
from tacit.files import atomic, write_json
from tacit.uses.invert import STARTS, Inversion, invert
from tacit.uses.paths import path, ways
from tacit.version import __version__

FORMAT = 1
"""Version of the model format; readers refuse a newer one."""

USES = ("sample", "encode", "decode", "reconstruct", "cluster", "predict", "score")
"""What a trained system can be asked for."""


def can(system: System | type[System]) -> tuple[str, ...]:
    """The uses that a system has."""
    return tuple(u for u in USES if hasattr(system, u))


class Model:
    """Networks that were fitted, with the system, the scaling of the data and the run's facts.

    Uses on data take anything that :func:`tacit.fit` takes, refuse data of another shape or range, and work in batches.

    Attributes:
        system: the system that was fitted.
        spec: shape, range and scaling of the data.
        nets: the networks, in evaluation mode.
        info: steps, seconds, seed, memory, versions.
        log: one dictionary for each line of the log.
    """

    def __init__(
        self, system: System, spec: Spec, nets: Nets, info: dict[str, Any] | None = None, log: list[dict[str, Any]] | None = None
    ):
        self.system, self.spec, self.nets, self.info = system, spec, nets, dict(info or {})
        self.log = log or []
        self.run: Path | None = None

    def __repr__(self) -> str:
        return f"Model({self.system!r}, {self.info.get('steps', 0)} steps, can {', '.join(can(self.system))})"

    # ---------------------------------------------------------------- uses

    def sample(self, n: int = 64, *, seed: int = 0, raw: bool = True) -> np.ndarray:
        """``n`` generated rows, ``(n, *shape)``, in the data's own units (``raw=False``: scaled, as the networks see them)."""
        if n < 1:
            raise InputError(f"sample got n={n}; expected 1 or more; ask for at least one")
        use = self._use("sample")
        rng, parts = self._rng(seed), []
        for start in range(0, n, 512):
            parts.append(use(self.nets, min(512, n - start), rng).detach())
        x = torch.cat(parts)
        return self.spec.undo(x) if raw else x.float().cpu().numpy()

    def encode(self, X: Any, *, seed: int = 0, **load: Any) -> np.ndarray:
        """Codes, ``(n, latent_dim)``."""
        return self._map("encode", X, load, seed)

    def decode(self, Z: Any, *, seed: int = 0, raw: bool = True) -> np.ndarray:
        """Rows from codes ``(n, latent_dim)``, in the data's own units."""
        use, rng = self._use("decode"), self._rng(seed)
        z = torch.as_tensor(np.asarray(Z), dtype=torch.float32).to(self._device(), self._dtype())
        if z.dim() != 2 or not len(z):
            raise InputError(f"decode got codes of shape {tuple(z.shape)}; expected (n, latent_dim); pass what encode returns")
        if not torch.isfinite(z).all():
            raise InputError("decode got codes with NaN or infinity; expected finite numbers; drop those rows")
        try:
            with torch.no_grad():
                x = torch.cat([use(self.nets, part, rng).float() for part in z.split(1024)])
        except RuntimeError as e:
            raise InputError(f"decode got codes of width {z.shape[1]}, which do not fit ({e}); pass what encode returns") from None
        return self.spec.undo(x) if raw else x.cpu().numpy()

    def reconstruct(self, X: Any, *, seed: int = 0, raw: bool = True, **load: Any) -> np.ndarray:
        """Rows after encoding and decoding, in the data's own units."""
        x = self._map("reconstruct", X, load, seed)
        return self.spec.undo(torch.from_numpy(x)) if raw else x

    def cluster(self, X: Any, *, seed: int = 0, **load: Any) -> np.ndarray:
        """Cluster of every row, ``(n,)`` int64, the same ids every time, also for one row."""
        return self._map("cluster", X, load, seed)

    def predict(self, X: Any, *, seed: int = 0, **load: Any) -> np.ndarray:
        """Predicted class of every row, ``(n,)`` int64."""
        return self._map("predict", X, load, seed)

    def score(self, X: Any, *, seed: int = 0, **load: Any) -> np.ndarray:
        """A number for every row, ``(n,)``; larger is more typical of the data."""
        return self._map("score", X, load, seed)

    def invert(
        self, X: Any, *, form: str = "auto", start: str = "prior", seed: int = 0, options: dict[str, Any] | None = None, **load: Any
    ) -> Inversion:
        """The codes whose decodings are nearest to the rows, by descent through the generator (:func:`tacit.uses.invert.invert`).

        Args:
            X: rows, as :func:`tacit.fit` takes them.
            form: plain, over all of the code; modified, ClusterGAN's, a descent for each category; auto takes the modified form where
                the latent has categories.
            start: prior, draws of it; or encoder, the rows' own codes.
            seed: of the draws.
            options: starts, steps, lr, weight, clip, polish, at_once of :func:`tacit.uses.invert.invert`.
            **load: how the rows are read.

        Returns:
            Codes ``(n, dim)``, which :meth:`decode` takes; losses ``(n,)`` in scaled units; categories ``(n,)``, −1 where there are none.

        Raises:
            NotSupported: the system does not decode, or has no encoder to start at.
            InputError: no prior to start from, or bad values.
        """
        self._use("decode")
        decode, prior = getattr(self.system, "decode"), self.system.latents  # noqa: B009
        if form == "auto":
            form = "modified" if prior is not None and prior.n_categories else "plain"
        if start not in STARTS:
            raise InputError(f"invert got start={start!r}; expected one of: {', '.join(STARTS)}; choose one")
        encode = self._use("encode") if start == "encoder" else None
        source = self.source(X, **load)
        found = []
        for at in range(0, source.n, 1024):
            x = self.spec.prepare(source.read(at, min(at + 1024, source.n))).to(self._device(), self._dtype())
            found.append(
                invert(
                    lambda z: decode(self.nets, z, self._rng(seed)), x, prior, form=form, rng=self._rng(seed),
                    encoded=encode(self.nets, x, self._rng(seed)) if encode else None, **(options or {}),
                )
            )  # fmt: skip
        codes, loss, category = (torch.cat(pieces).cpu() for pieces in zip(*found, strict=True))
        return Inversion(codes.float().numpy(), loss.float().numpy(), category.numpy())

    def interpolate(
        self, A: Any, B: Any, points: int = 10, *, how: str = "auto", seed: int = 0, raw: bool = True
    ) -> np.ndarray:
        """Rows on the way from each code of A to that of B, ``(n, points, *shape)``, both ends included.

        Args:
            A, B: codes ``(n, dim)``, as :meth:`encode` and :meth:`invert` give them.
            points: rows of each path.
            how: linear, spherical or prior (:func:`tacit.uses.paths.path`); auto takes the last of them that there is; codes that are not
                whole latents go straight.
            seed, raw: as in :meth:`decode`.
        """
        self._use("decode")
        prior = self.system.latents
        a, b = (torch.as_tensor(np.asarray(z), dtype=torch.float32) for z in (A, B))
        if how == "auto":
            how = ways(prior if prior is not None and prior.dim == a.shape[-1] else None)[-1]
        z = path(a, b, points, how=how, prior=prior)
        rows = self.decode(z.flatten(0, 1).numpy(), seed=seed, raw=raw)
        return rows.reshape(len(a), points, *rows.shape[1:])

    def fit(self, X: Any, **options: Any) -> Model:
        """Continue on new data, with these weights and this scaling; a new model comes back."""
        from tacit.engine import fit

        return fit(self, X, **options)

    def _use(self, name: str) -> Callable[..., Tensor]:
        use = getattr(self.system, name, None)
        if use is None:
            able = sorted(s for s in names("system") if hasattr(get("system", s), name))
            raise NotSupported(
                f"{type(self.system).__name__} cannot {name}; systems that can: {', '.join(able) or 'none'}; fit one of those"
            )
        return torch.no_grad()(use)

    def _map(self, name: str, X: Any, load: dict[str, Any], seed: int) -> np.ndarray:
        use = self._use(name)
        source = self.source(X, **load)
        out = []
        for start in range(0, source.n, 1024):
            raw = source.read(start, min(start + 1024, source.n))
            y = use(self.nets, self.spec.prepare(raw).to(self._device(), self._dtype()), self._rng(seed))
            out.append(y.detach().float().cpu() if y.is_floating_point() else y.detach().cpu())
        return torch.cat(out).numpy()

    def source(self, X: Any, **load: Any) -> Source:
        """New data as a source, checked against what the model was fitted on."""
        if not isinstance(X, Source):
            X = data.load(X, like=self.spec, **load)
        self.spec.check(X)
        return X

    def _rng(self, seed: int) -> Rng:
        rng = Rng(seed, self._device())
        rng.dtype = self._dtype()
        return rng

    def _dtype(self) -> torch.dtype:
        """float64 for a model that was fitted so, else float32."""
        return next((p.dtype for p in self.nets.parameters()), torch.float32)

    def _device(self) -> torch.device:
        for p in self.nets.parameters():
            return p.device
        return torch.device("cpu")

    # ---------------------------------------------------------------- disk

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write ``system.json`` and ``weights.safetensors`` (and ``log.jsonl`` if it is not there), atomically."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        stamp = uuid.uuid4().hex
        tensors = {f"net/{k}": v for k, v in self.nets.state().items()}
        tensors |= {f"memory/{k}": v for k, v in self.nets.memory.items()}
        tensors |= {f"spec/{k}": v for k, v in self.spec.tensors().items()}
        flat = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
        with atomic(folder / "weights.safetensors", "wb") as f:
            f.write(to_bytes(flat, metadata={"stamp": stamp}))
        write_json(
            folder / "system.json",
            {
                "format": FORMAT, "tacit": __version__, "stamp": stamp, "system": to_json(self.system),
                "spec": self.spec.to_json(), "info": self.info,
            },
        )  # fmt: skip
        if self.log and not (folder / "log.jsonl").exists():
            with atomic(folder / "log.jsonl") as f:
                f.writelines(json.dumps(line) + "\n" for line in self.log)
        return folder

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, device: str = "cpu", allow: tuple[str, ...] = ()) -> Model:
        """Read a saved model; see :func:`tacit.load`."""
        folder = Path(folder)
        card = _card(folder)
        system = from_json(card["system"], tuple(allow))
        if not isinstance(system, System):
            raise InputError(f"{folder / 'system.json'} describes a {type(system).__name__}; expected a system; check the file")
        tensors, stamp = _weights(folder / "weights.safetensors")
        if stamp != card.get("stamp"):
            raise InputError(
                f"weights.safetensors and system.json in {folder} are of different saves; expected one pair; "
                "restore both or save again"
            )

        def below(prefix: str) -> dict[str, Tensor]:
            return {k[len(prefix) + 1 :]: v for k, v in tensors.items() if k.startswith(prefix + "/")}

        spec = Spec.from_json(card["spec"], below("spec"))
        with torch.random.fork_rng():
            nets = Nets(system.nets(spec), below("memory"))
        state = below("net")
        if any(v.dtype == torch.float64 for v in state.values()):
            for m in nets.modules().values():
                m.to(torch.float64)
        try:
            nets.load_state(state)
        except RuntimeError as e:
            why = " ".join(str(e).split())
            raise InputError(
                f"the weights in {folder} do not fit the system in system.json ({why}); "
                "expected one pair; save it again"
            ) from None
        model = cls(system, spec, nets.to(torch.device(device)).train(False), card.get("info"), log=_log(folder))
        model.run = folder
        return model


def load(folder: str | os.PathLike[str], *, device: str = "cpu", allow: tuple[str, ...] = ()) -> Model:
    """Read a model that was saved by ``Model.save`` or by a run.

    Args:
        folder: the run or model folder.
        device: where to put the weights.
        allow: modules whose own system and part classes may be imported; all others are refused.

    Raises:
        InputError: not a model, damaged, of a newer format, or of code that is not allowed.
    """
    return Model.load(folder, device=device, allow=allow)


def _card(folder: Path) -> dict[str, Any]:
    path = folder / "system.json"
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if (folder / "config.json").exists():
            raise InputError(
                f"the run in {folder} is not finished; "
                f"expected a saved model; go on with: tacit resume {folder}"
            ) from None
        raise InputError(
            f"there is no model in {folder}; "
            "expected a folder with system.json and weights.safetensors; check the path"
        ) from None
    except (OSError, ValueError) as e:
        raise InputError(
            f"{path} cannot be read ({e}); "
            "expected the JSON that Tacit wrote; restore it or save the model again"
        ) from None
    if not isinstance(card, dict) or "system" not in card or "spec" not in card:
        raise InputError(f"{path} is not a saved model; expected the JSON that Tacit wrote; check the path")
    if card.get("format", 0) > FORMAT:
        raise InputError(
            f"the model in {folder} has format {card['format']}, written by Tacit {card.get('tacit')}; this Tacit {__version__} "
            f"reads format {FORMAT} or older; upgrade Tacit"
        )
    return card


def _weights(path: Path) -> tuple[dict[str, Tensor], str | None]:
    try:
        with safe_open(path, "pt") as f:
            stamp = (f.metadata() or {}).get("stamp")
            return {k: f.get_tensor(k) for k in f.keys()}, stamp  # noqa: SIM118
    except FileNotFoundError:
        raise InputError(
            f"{path} is missing; "
            "expected the weights beside system.json; restore it or save the model again"
        ) from None
    except (SafetensorError, OSError) as e:
        raise InputError(
            f"{path} cannot be read ({e}); "
            "expected a whole safetensors file; restore it or save the model again"
        ) from None


def _log(folder: Path) -> list[dict[str, Any]]:
    path = folder / "log.jsonl"
    if not path.exists():
        return []
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            break
    return lines
