"""How the rows that the user gave become the rows that networks read, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tacit.errors import InputError, suggest

KINDS = ("image", "vector", "sequence", "volume")


@dataclass(frozen=True)
class Layout:
    """A reversible view of rows: ``raw`` → reshape to ``view`` → move or add the channel axis.

    ``order``: ``"same"`` keeps ``view``; ``"add"`` puts one channel first, (H, W) → (1, H, W);
    ``"last"`` moves the channels first, (H, W, C) → (C, H, W).

    >>> Layout((28, 28, 3), (28, 28, 3), "last").shape
    (3, 28, 28)
    """

    raw: tuple[int, ...]
    view: tuple[int, ...]
    order: str = "same"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a row as networks read it."""
        if self.order == "add":
            return (1, *self.view)
        return (self.view[-1], *self.view[:-1]) if self.order == "last" else self.view

    def apply(self, rows: np.ndarray) -> np.ndarray:
        """(k, *raw) → (k, *shape), a view where NumPy can."""
        rows = rows.reshape(len(rows), *self.view)
        if self.order == "add":
            return rows[:, None]
        return np.moveaxis(rows, -1, 1) if self.order == "last" else rows

    def invert(self, rows: np.ndarray) -> np.ndarray:
        """(k, *shape) → (k, *raw)."""
        if self.order == "last":
            rows = np.moveaxis(rows, 1, -1)
        return rows.reshape(len(rows), *self.raw)

    def to_json(self) -> dict[str, Any]:
        """Plain values for the saved model."""
        return {"raw": list(self.raw), "view": list(self.view), "order": self.order}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Layout:
        """The layout that :meth:`to_json` wrote."""
        return cls(tuple(value["raw"]), tuple(value["view"]), value["order"])


def find_layout(
    row: tuple[int, ...], shape: tuple[int, ...] | None = None, kind: str | None = None
) -> tuple[Layout, str]:
    """Decide what a row of shape ``row`` is: ``(layout, kind)``.

    (d,) is a vector; (H, W) a grey picture; (C, H, W) or (H, W, C) a picture; (C, D, H, W) a volume;
    ``shape`` reshapes the row first ((16, 16) turns 256 numbers into a picture) and ``kind`` overrides.

    Raises:
        InputError: ``shape`` does not hold as many numbers as a row, or the row is none of these.
    """
    if kind is not None and kind not in KINDS:
        raise InputError(f"kind is '{kind}'; expected one of {', '.join(KINDS)}{suggest(kind, KINDS)}")
    row = tuple(int(s) for s in row)
    if not row:
        raise InputError(
            "the data has one number a row and no second axis; expected rows × columns; reshape it to (n, 1) "
            "if it is one column"
        )
    if 0 in row:
        raise InputError(f"the rows have shape {row}, which holds no number; expected at least one column")
    view = row
    if shape is not None:
        view = tuple(int(s) for s in shape)
        if not view or min(view) < 1 or math.prod(view) != math.prod(row):
            raise InputError(
                f"shape {tuple(shape)} holds {math.prod(view)} numbers but a row has {math.prod(row)}; "
                f"expected a shape whose product is {math.prod(row)}"
            )
    if kind == "vector":
        return Layout(row, (math.prod(view),)), kind
    if kind == "sequence":
        return Layout(row, view if len(view) > 1 else (*view, 1)), kind
    if len(view) == 1:
        if kind is None:
            return Layout(row, view), "vector"
        raise InputError(f"rows of {view[0]} numbers cannot be read as kind '{kind}'; give shape= as well")
    if len(view) == 2 and kind != "volume":
        return Layout(row, view, "add"), "image"
    if len(view) == 3 and kind == "volume":
        return Layout(row, view, "add"), "volume"
    if len(view) == 3:
        last = view[-1] in (1, 3, 4) and view[0] not in (1, 3, 4)
        last = last or (view[-1] in (1, 3, 4) and view[1] > 4 and view[0] > view[-1])
        return Layout(row, view, "last" if last else "same"), "image"
    if len(view) == 4:
        return Layout(row, view), "volume"
    raise InputError(
        f"the rows have shape {view}; expected (columns,), (H, W), (C, H, W), (H, W, C) or (C, D, H, W); "
        "give shape= or kind='sequence'"
    )
