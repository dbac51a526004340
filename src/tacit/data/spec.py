"""What a model knows of its data: shape, kind, scale. Learnt at fit, kept in the model, undone on output."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tacit.data.layout import Layout
from tacit.data.source import Source
from tacit.data.statistics import Statistics
from tacit.data.tables import Table
from tacit.errors import InputError, suggest

SCALES = ("auto", "range", "standard", "none", "log")


@dataclass(frozen=True)
class Spec:
    """Shape, kind and scale: ``x = (f(raw) - shift) / gain``, with f = log2(1 + ·) for "log", else identity.

    Pictures become float32 in [0, 1], (B, C, H, W): uint8 is divided by 255, float already in [0, 1] is kept,
    other ranges use the learnt minimum and maximum. Vectors are standardised per column unless all lie in
    [0, 1]. "log" divides log2(1 + counts) by its learnt maximum. ``bounded`` says that x lies in [0, 1].

    >>> import numpy as np
    >>> from tacit.data import Spec, load
    >>> source = load(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
    >>> spec = Spec.learn(source)
    >>> x = spec.prepare(source.read(0, 2))
    >>> tuple(x.shape), bool(spec.bounded), spec.undo(x).shape
    ((2, 1, 3, 4), True, (2, 3, 4))
    """

    shape: tuple[int, ...]
    kind: str = "vector"
    bounded: bool = False
    n_classes: int = 0
    raw_dtype: str = "float32"
    scale: str = "none"
    low: float | None = None
    high: float | None = None
    layout: Layout | None = None
    class_names: list[str] | None = None
    feature_names: list[str] | None = None
    table: dict[str, Any] | None = None
    name: str = "data"
    shift: Tensor | None = field(default=None, compare=False, repr=False)
    gain: Tensor | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(s) for s in self.shape))

    @property
    def dim(self) -> int:
        """Numbers in a row."""
        return math.prod(self.shape)

    @classmethod
    def learn(cls, source: Source, scale: str = "auto") -> Spec:
        """Learn the spec of a source in one pass over it, in blocks.

        Raises:
            InputError: unknown scale, NaN or infinite values, or negative values under ``scale="log"``.
        """
        if scale not in SCALES:
            raise InputError(
                f"scale is '{scale}'; expected one of {', '.join(SCALES)}{suggest(scale, SCALES)}"
            )
        y = source.labels
        about: dict[str, Any] = {
            "shape": source.shape,
            "kind": source.kind,
            "raw_dtype": source.dtype.name,
            "layout": source.layout,
            "class_names": source.class_names,
            "feature_names": source.feature_names,
            "table": None if source.table is None else source.table.to_json(),
            "name": source.name,
            "n_classes": 0 if y is None else max(int(y.max()) + 1, len(source.class_names or ()), 0),
        }
        picture = source.kind in ("image", "volume")
        if picture and source.dtype == np.uint8 and scale == "auto":
            return cls(
                **about, bounded=True, scale="range", low=0.0, high=255.0,
                shift=torch.zeros((), dtype=torch.float64), gain=torch.full((), 255.0, dtype=torch.float64),
            )  # fmt: skip
        s = Statistics.of(source, log=scale == "log")
        unit = s.low >= 0 and s.high <= 1
        about |= {"low": s.low, "high": s.high}
        if scale == "auto":
            scale = "none" if unit else "range" if picture else "standard"
        if scale == "none":
            about |= {"low": 0.0, "high": 1.0} if unit else {}
            return cls(**about, bounded=unit, scale="none")
        if scale == "log":
            top = math.log2(1 + s.high) or 1.0
            shift, gain = torch.zeros((), dtype=torch.float64), torch.tensor(top, dtype=torch.float64)
        elif scale == "range":
            shift = torch.tensor(s.low, dtype=torch.float64) if picture else torch.from_numpy(s.min)
            gain = (
                torch.tensor(s.high - s.low, dtype=torch.float64)
                if picture
                else torch.from_numpy(s.max - s.min)
            )
        else:
            shift, gain = torch.from_numpy(s.mean), torch.from_numpy(s.std)
        gain = torch.where(gain > 0, gain, 1.0)
        return cls(**about, bounded=scale != "standard", scale=scale, shift=shift, gain=gain)

    def prepare(self, raw: np.ndarray | Tensor) -> Tensor:
        """Raw rows (B, *shape) → float32 (B, *shape), on the device of ``raw`` if it is a tensor.

        Bounded data is clipped to [0, 1]: new rows may pass the learnt range a little (see :meth:`check`).
        """
        x = raw if isinstance(raw, Tensor) else _tensor(raw)
        if self.shift is None or self.gain is None:
            x = x.to(torch.float32, copy=True)
        else:
            wide = x.dtype in (torch.float64, torch.int64, torch.int32) and x.device.type != "mps"
            dtype = torch.float64 if wide else torch.float32
            x = x.to(dtype)
            if self.scale == "log":
                x = torch.log2(1 + x)
            x = (x - self._fit(self.shift, x)) / self._fit(self.gain, x)
            x = x.to(torch.float32)
        return x.clamp_(0, 1) if self.bounded else x

    def undo(self, x: Tensor | np.ndarray) -> np.ndarray:
        """Prepared rows (B, *shape) → raw units, dtype and layout; whole numbers are rounded and clipped."""
        x = torch.as_tensor(x).detach().to("cpu", torch.float64)
        x = x.reshape(-1, *self.shape)
        if self.bounded:
            x = x.clamp(0, 1)
        if self.shift is not None and self.gain is not None:
            x = x * self._fit(self.gain, x) + self._fit(self.shift, x)
            if self.scale == "log":
                x = torch.exp2(x) - 1
        rows = x.numpy()
        dtype = np.dtype(self.raw_dtype)
        if dtype.kind in "iu":
            info = np.iinfo(dtype)
            rows = np.clip(np.rint(rows), float(info.min), float(info.max))
            top = rows >= float(info.max)
            out = np.where(top, 0, rows).astype(dtype)
            out[top] = info.max
            rows = out
        elif dtype.kind == "b":
            rows = rows >= 0.5
        else:
            rows = rows.astype(dtype)
        return rows if self.layout is None else self.layout.invert(rows)

    def frame(self, x: Tensor | np.ndarray) -> pd.DataFrame:
        """Prepared rows of a table (B, d) → its columns as they were, categories as their texts.

        Raises:
            InputError: the model did not learn a table.
        """
        if self.table is None:
            raise InputError("the model learnt no table; expected one; use undo for arrays")
        return Table.from_json(self.table).decode(self.undo(x))

    def check(self, source: Source) -> None:
        """Refuse data that this spec does not describe, in one sentence.

        Raises:
            InputError: another kind, shape, columns or range, NaN or infinite values.
        """
        if source.kind != self.kind:
            raise InputError(
                f"{source.name} holds rows of kind '{source.kind}' {source.shape}; the model learnt "
                f"'{self.kind}' {self.shape}; give the same kind of data{_hint(source, self)}"
            )
        shorter = (
            self.kind == "sequence"
            and source.shape[0] <= self.shape[0]
            and source.shape[1:] == self.shape[1:]
        )
        if source.shape != self.shape and not shorter:
            raise InputError(
                f"{source.name} has rows of shape {source.shape}; the model learnt {self.shape}; give rows "
                f"of that shape{_hint(source, self)}"
            )
        mine, theirs = self.feature_names, source.feature_names
        if mine and theirs and list(mine) != list(theirs):
            odd = next(((a, b) for a, b in zip(mine, theirs, strict=False) if a != b), (None, None))
            raise InputError(
                f"{source.name} has column '{odd[1]}' where the model learnt '{odd[0]}'; expected "
                f"{', '.join(mine[:8])}{', …' if len(mine) > 8 else ''}; give the same columns in that order"
            )
        s = Statistics.of(source, log=self.scale == "log")
        self._check_range(source, s)

    def _check_range(self, source: Source, s: Statistics) -> None:
        if self.low is None or self.high is None:
            low, high = (0.0, 1.0) if self.bounded else (-math.inf, math.inf)
        else:
            low, high = self.low, self.high
        got = f"{source.name} has values from {s.low:g} to {s.high:g}"
        learnt = f"the model learnt {low:g} to {high:g}"
        if self.bounded and math.isfinite(high - low):
            room = 0.5 * ((high - low) or abs(high) or 1.0) if self.scale != "none" else 0.01
            room = 4 * abs(high) + 1 if self.scale == "log" else room
            if s.low < low - room or s.high > high + room:
                raise InputError(f"{got}; {learnt}; give data in the same units")
        elif math.isfinite(high - low):
            reach = 100 * max(abs(low), abs(high), 1e-30)
            if max(abs(s.low), abs(s.high)) > reach:
                raise InputError(f"{got}; {learnt}; give data in the same units")
        if self.kind in ("image", "volume") and high >= 8 and s.low >= 0 and 0 < s.high <= 1 and not s.whole:
            raise InputError(f"{got}; {learnt}; multiply by {high:g} to give data in the same units")

    def tensors(self) -> dict[str, Tensor]:
        """Learnt numbers, float64, to be stored beside the weights."""
        both = {"shift": self.shift, "gain": self.gain}
        return {k: v.contiguous() for k, v in both.items() if v is not None}

    def to_json(self) -> dict[str, Any]:
        """Everything but :meth:`tensors`, as plain values."""
        plain = ("kind", "bounded", "n_classes", "raw_dtype", "scale", "low", "high", "class_names")
        return {
            "shape": list(self.shape),
            **{k: getattr(self, k) for k in (*plain, "feature_names", "table", "name")},
            "layout": None if self.layout is None else self.layout.to_json(),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any], tensors: dict[str, Tensor] | None = None) -> Spec:
        """The spec that :meth:`to_json` and :meth:`tensors` wrote."""
        value = dict(value)
        layout = value.pop("layout", None)
        value["shape"] = tuple(value["shape"])
        learnt = tensors or {}
        found: dict[str, Any] = {k: learnt[k].to(torch.float64) for k in ("shift", "gain") if k in learnt}
        return cls(**value, layout=None if layout is None else Layout.from_json(layout), **found)

    def renamed(self, **changes: Any) -> Spec:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def _fit(self, value: Tensor, x: Tensor) -> Tensor:
        value = value.to(x.device, x.dtype)
        if value.ndim == 1 and self.kind in ("image", "volume"):
            return value.reshape(-1, *[1] * (len(self.shape) - 1))
        return value


def _tensor(raw: np.ndarray) -> Tensor:
    if raw.dtype in (np.uint16, np.uint32):
        raw = raw.astype(np.int32 if raw.dtype == np.uint16 else np.int64)
    elif raw.dtype == np.uint64 or raw.dtype == np.longdouble:
        raw = raw.astype(np.float64)
    raw = raw if raw.dtype.isnative else raw.astype(raw.dtype.newbyteorder("="))
    return torch.from_numpy(np.require(raw, requirements=["C", "W"]))


def _hint(source: Source, spec: Spec) -> str:
    if math.prod(source.shape) == spec.dim and source.shape != spec.shape:
        return f", or shape={spec.shape[1:] if spec.shape[0] == 1 else spec.shape} to reshape it"
    return ""
