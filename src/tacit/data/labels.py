"""Labels of any spelling become 0 … k-1 with names; -1 means no label."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch

from tacit.data.source import Source
from tacit.errors import InputError


def encode_labels(
    values: Any, names: list[str] | None = None, what: str = "labels"
) -> tuple[np.ndarray, list[str]]:
    """Return int64 codes (n,) and the class names.

    Whole numbers from 0 keep their value; anything else is numbered in sorted order. Missing values and,
    among numbers, -1 become -1. With ``names`` (classes that a model learnt) codes follow these names and
    classes not among them are numbered after them.

    >>> encode_labels(["b", "a", None, "b"])
    (array([ 1,  0, -1,  1]), ['a', 'b'])

    Raises:
        InputError: labels are not one column, or are numbers that are not whole.
    """
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().numpy()
    values = np.asarray(values)
    if values.ndim == 2 and 1 in values.shape:
        values = values.reshape(-1)
    if values.ndim != 1:
        raise InputError(f"{what} have shape {values.shape}; expected one label for each row, shape (n,)")
    if values.dtype == object:
        kept = [v for v in values if not pd.isna(v)]
        if kept and all(isinstance(v, int | float | np.number) for v in kept):
            values = np.array([np.nan if pd.isna(v) else float(v) for v in values])
    if values.dtype.kind == "b":
        values = values.astype(np.int64)
    missing = np.asarray(pd.isna(values))
    if values.dtype.kind in "iuf":
        if values.dtype.kind == "f":
            if not np.array_equal(values[~missing], np.round(values[~missing])):
                bad = values[~missing][values[~missing] != np.round(values[~missing])][0]
                raise InputError(f"{what} hold {bad:g}; expected classes (texts or whole numbers)")
            values = np.where(missing, -1, values)
        values = values.astype(np.int64)
        missing = values < 0
        present = np.unique(values[~missing])
        if names is None and len(present) and present[0] == 0 and present[-1] < max(1000, len(values)):
            present = np.arange(present[-1] + 1)
        texts = [str(v) for v in present]
    elif values.dtype.kind in "OUST":
        values = values.astype(object)
        values[~missing] = [v.decode() if isinstance(v, bytes) else str(v) for v in values[~missing]]
        present = np.unique(values[~missing].astype(str))
        texts = [str(v) for v in present]
    else:
        raise InputError(f"{what} are of type {values.dtype}; expected classes (texts or whole numbers)")
    if names is not None:
        final = list(names) + [t for t in texts if t not in set(names)]
    else:
        final = texts
    number = {t: k for k, t in enumerate(final)}
    codes = np.full(len(values), -1, np.int64)
    if len(present):
        table = np.array([number[t] for t in texts], np.int64)
        kept = values[~missing] if values.dtype.kind in "iu" else values[~missing].astype(str)
        codes[~missing] = table[np.searchsorted(present, kept)]
    return codes, final


def labelled(
    source: Source,
    fraction: float | None = None,
    count: int | None = None,
    balanced: bool = True,
    seed: int = 0,
) -> Source:
    """Keep the labels of a fraction (or a count) of the rows; the rest get -1.

    ``balanced`` takes the same number from every class (a class with fewer rows gives all it has and the
    others make up for it); otherwise rows are drawn uniformly. The same seed keeps the same rows.

    >>> from tacit.data import load, labelled
    >>> few = labelled(load("digits"), count=100, seed=0)
    >>> int((few.labels >= 0).sum())
    100

    Raises:
        InputError: the source has no labels, or the fraction or count cannot be met.
    """
    if source.labels is None or not (source.labels >= 0).any():
        raise InputError(f"{source.name} has no labels to keep; expected a labelled source; give label=")
    if (fraction is None) == (count is None):
        raise InputError("give exactly one of fraction= (0 to 1) and count= (rows)")
    known = np.flatnonzero(source.labels >= 0)
    if fraction is not None:
        if not 0 <= fraction <= 1:
            raise InputError(f"fraction is {fraction}; expected a number from 0 to 1")
        count = round(fraction * len(known))
    assert count is not None
    if not 0 <= count <= len(known):
        raise InputError(f"{count} labelled rows were asked but {len(known)} rows have labels")
    rng = np.random.default_rng(seed)
    known = rng.permutation(known)
    if balanced:
        y = source.labels[known]
        order = np.argsort(y, kind="stable")
        sizes = np.unique(y[order], return_counts=True)[1]
        within = np.concatenate([np.arange(s) for s in sizes])
        turn = rng.permutation(len(sizes))[np.repeat(np.arange(len(sizes)), sizes)]
        known = known[order[np.lexsort((turn, within))]]
    kept = np.full(source.n, -1, np.int64)
    kept[known[:count]] = source.labels[known[:count]]
    return source.with_labels(kept)
