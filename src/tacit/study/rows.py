"""The rows of a study as its clusterers see them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tacit.data import Source, Spec
from tacit.errors import InputError
from tacit.systems.clusters.distilled import SAMPLE_NUMBERS, Distilled
from tacit.uses.rows import log_normalised, principal, project

WIDE = 100
"""Tables of more columns are clustered by their principal components."""
COMPONENTS = 50


@dataclass
class Rows:
    """The rows that are studied.

    Attributes:
        source: the rows themselves, raw.
        spec: their scaling.
        flat: float32 ``(n, p)``: scaled rows, or their principal components where they are wide or pictures.
        counts: whether they are counts, taken as log(1 + 10⁴·x/Σx).
        components: principal components that the final model takes of them; 0 for the scaled rows themselves.
        notes: sentences for the reader.
    """

    source: Source
    spec: Spec
    flat: np.ndarray
    counts: bool
    components: int
    notes: list[str]

    @property
    def n(self) -> int:
        return len(self.flat)

    @property
    def pictures(self) -> bool:
        return self.spec.kind == "image"

    def flattened(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        return log_normalised(x) if self.counts else x


def blocks(source: Source, spec: Spec) -> Iterator[Tensor]:
    """All rows, scaled, in blocks of at most 16 MiB."""
    step = max(1, (1 << 22) // spec.dim)
    for start in range(0, source.n, step):
        yield spec.prepare(source.read(start, min(start + step, source.n)))


def prepare(source: Source, counts: bool, seed: int, most: int) -> Rows:
    """Scale the rows, or a seeded choice of ``most`` of them, and reduce them where they are wide.

    Raises:
        InputError: too few rows, rows that are all alike, negative counts, or sequences.
    """
    notes = []
    if source.kind == "sequence":
        raise InputError(f"{source.name} holds sequences of different lengths; expected pictures, vectors or volumes; encode them first")
    if source.n < 20:
        raise InputError(f"{source.name} has {source.n} rows; expected at least 20 to study; give more rows")
    every = source.n
    if every > most:
        source = source.subset(np.sort(np.random.default_rng(seed).choice(every, most, replace=False)))
        notes.append(f"The study rests on {most:,} of the {every:,} rows, drawn at random (seed {seed}); the model labels all of them.")
    spec = Spec.learn(source, scale=Distilled(counts=counts).scale)
    if counts and spec.low is not None and spec.low < 0:
        raise InputError(f"{source.name} has values from {spec.low:g}; expected counts of 0 or more; leave counts out")
    rows = Rows(source, spec, np.empty((source.n, 0), np.float32), counts, 0, notes)
    d, n = spec.dim, source.n
    size = min(n, max(2000, SAMPLE_NUMBERS // d))
    sample = source.take(np.sort(np.random.default_rng(seed).permutation(n)[:size]))
    some = rows.flattened(spec.prepare(sample))
    if not float((some - some[0]).abs().max()):
        raise InputError(f"{source.name} has {n} rows that are all alike; expected rows that differ; give other data")
    reduced = min(COMPONENTS, size - 1, d)
    if counts:
        notes.append("Rows are taken as counts: each divided by its total, times 10,000, then log(1 + ·).")
    elif looks_like_counts(sample):
        notes.append("The rows look like counts (whole numbers, mostly zeros): consider --counts, which divides each row by its total.")
    if counts or (d > WIDE and not rows.pictures):
        rows.components = reduced
        kept = min(d, Distilled.max_columns)
        which = "the" if kept == d else f"the {kept:,} most variable of"
        notes.append(f"Clusterers see {reduced} principal components of {which} {d:,} columns.")
    if rows.components or (rows.pictures and d > COMPONENTS):
        by = principal(some, reduced, Distilled.max_columns, seed)
        rows.flat = torch.cat([project(rows.flattened(x), by) for x in blocks(source, spec)]).numpy()
    else:
        rows.flat = torch.cat([rows.flattened(x) for x in blocks(source, spec)]).numpy()
    return rows


def looks_like_counts(raw: np.ndarray) -> bool:
    """Whole numbers of 0 or more, most of them 0, more than 50 columns, and totals that differ."""
    flat = raw.reshape(len(raw), -1)
    if raw.ndim != 2 or flat.shape[1] <= 50 or flat.min() < 0 or flat.max() < 4 or (flat == 0).mean() < 0.5:
        return False
    return bool((flat == np.round(flat)).all())


def widths(rows: Rows) -> tuple[int, ...]:
    """Hidden layers of an autoencoder of these rows: those of the literature for pictures of some size, else narrower."""
    return (500, 500, 2000) if rows.pictures and math.prod(rows.spec.shape) >= 196 else (256, 256, 512)
