"""What can be measured of a trained model on data: the same for ``tacit evaluate``, ``tacit compare`` and the claims."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from tacit import data, metrics
from tacit.data import Source, worlds
from tacit.errors import InputError
from tacit.metrics.figure import Figure, mean_figure
from tacit.model import Model, can

WORLDS = ("ring8", "grid25")
"""Data whose modes are known."""

PROTOCOL = {"ring8": 2500, "grid25": 2500, "stacked": 26_000}
"""Samples that the published counts of modes rest on."""


@dataclass(frozen=True)
class Scale:
    """How a measure is read: ``better`` is 1 where more is better, −1 where less is, 0 where neither; and its range."""

    better: int = 0
    low: float = -np.inf
    high: float = np.inf


UNIT = Scale(1, 0.0, 1.0)
SCALES = {
    "modes captured": Scale(1, 0.0), "high-quality share": UNIT, "reverse KL": Scale(-1, 0.0), "FID": Scale(-1, 0.0), "KID": Scale(-1),
    "inception score": Scale(1, 1.0), "mode score": Scale(1, 0.0), "precision": UNIT, "recall": UNIT, "density": Scale(0, 0.0),
    "coverage": UNIT, "ACC": UNIT, "NMI": UNIT, "ARI": Scale(1, -1.0, 1.0), "purity": UNIT, "reconstruction MSE": Scale(-1, 0.0),
}  # fmt: skip
"""Density is best near 1, and a silhouette belongs to the space that it was taken in, so neither has a direction here."""


def scale(name: str) -> Scale:
    """How a measure is read; "modes captured, of 8" is read as "modes captured" with at most 8.

    >>> scale("FID").better, scale("modes captured, of 8").high, scale("density").better
    (-1, 8.0, 0)
    """
    base, _, most = name.partition(", of ")
    found = SCALES.get(base, Scale())
    return Scale(found.better, found.low, float(most)) if most else found


def prepared(model: Model, source: Source, most: int | None = None, seed: int = 0) -> np.ndarray:
    """Rows as the networks see them, ``(n, *shape)``; a seeded choice of them where there are more than ``most``."""
    source = some(source, most, seed)
    parts = [model.spec.prepare(source.read(s, min(s + 4096, source.n))) for s in range(0, source.n, 4096)]
    return torch.cat(parts).numpy()


def some(source: Source, most: int | None, seed: int) -> Source:
    """The source, or a seeded choice of ``most`` of its rows, in order."""
    if most is None or source.n <= most:
        return source
    return source.subset(np.sort(np.random.default_rng(seed).choice(source.n, most, replace=False)))


def raw_units(model: Model, x: np.ndarray) -> np.ndarray:
    """Scaled rows in the data's own units, still ``(n, *shape)``."""
    raw = model.spec.undo(x)
    return (raw if model.spec.layout is None else model.spec.layout.apply(raw)).reshape(len(x), *model.spec.shape)


def clustering(model: Model, source: Source, seed: int) -> dict[str, Figure]:
    """Agreement with labels where there are any; silhouette in the space of the codes, or of the data."""
    found = model.cluster(source, seed=seed)
    figures: dict[str, Figure] = {}
    y = source.labels
    if y is not None and (y >= 0).any():
        figures = {
            "ACC": metrics.accuracy(y, found),
            "NMI": metrics.nmi(y, found),
            "ARI": metrics.ari(y, found),
            "purity": metrics.purity(y, found),
        }
    if 2 <= len(np.unique(found)) < source.n:
        coded = "encode" in can(model.system)
        where = model.encode(source, seed=seed) if coded else prepared(model, source)
        figures[f"silhouette of {'codes' if coded else 'data'}"] = metrics.silhouette(where.reshape(len(where), -1), found)
    return figures


def reconstruction(model: Model, source: Source, seed: int) -> dict[str, Figure]:
    """Mean squared error of a number, in scaled units."""
    rows = some(source, 10_000, seed)
    x = prepared(model, rows)
    back = model.reconstruct(rows, seed=seed, raw=False)
    return {"reconstruction MSE": mean_figure(np.square(back - x).reshape(len(x), -1).mean(1))}


def capture(model: Model, name: str, seed: int, judge: Any = "pixels", most: int = 2500) -> dict[str, Figure]:
    """Modes captured, share of high-quality samples and reverse KL, where the data called ``name`` has known modes.

    Args:
        name: of the source; ``stacked`` needs a classifier of single digits as ``judge``.
        most: samples, at least; never fewer than the published protocol counts.
    """
    word = name.partition(":")[0]
    least = PROTOCOL.get(word, 0)
    if word in WORLDS:
        means, sd = worlds.modes(name)
        m = metrics.modes(model.sample(max(most, least), seed=seed), means, sd, count=least)
    elif word == "stacked" and isinstance(judge, metrics.Classifier) and judge.shape[0] == 1:
        m = metrics.stacked_modes(raw_units(model, model.sample(least, seed=seed, raw=False)), judge.predict, count=least)
    else:
        return {}
    quality = {} if m.high_quality is None else {"high-quality share": m.high_quality}
    return {f"modes captured, of {m.n_modes}": Figure(float(m.captured), n=least), **quality, "reverse KL": m.reverse_kl}


class Ruler:
    """Measures of what models generate against the same real rows, whose features are found once.

    FID, KID, precision, recall, density and coverage on features; the inception and the mode score where the features are a
    classifier's; modes where the data has known ones.

    Args:
        source: real rows.
        judge: "pixels" for the scaled rows themselves, or a :class:`tacit.metrics.Classifier` of the data in its own units.
        k: the neighbour that sets the radius of precision, recall, density and coverage.
        most: real rows, and samples, that are compared.
        quick: leave KID and the scores out, which is several times faster.
        seed: of the choice of rows and of the samples.
    """

    def __init__(
        self, source: Source, judge: Any = "pixels", *, k: int = 5, most: int = 10_000, quick: bool = False, seed: int = 0
    ):
        self.source, self.judge, self.k, self.most, self.quick, self.seed = source, judge, k, most, quick, seed
        self.real: np.ndarray | None = None
        self.classes: np.ndarray | None = None

    def __call__(self, model: Model) -> dict[str, Figure]:
        if self.real is None:
            self.real, self.classes = self._features(model, prepared(model, self.source, self.most, self.seed))
        a = self.real
        b, classes = self._features(model, model.sample(len(a), seed=self.seed, raw=False))
        figures = {"FID": metrics.fid(a, b)}
        if not self.quick:
            figures["KID"] = metrics.kid(a, b, subset_size=min(1000, len(a)), seed=self.seed)
        if classes is not None and self.classes is not None:
            figures["inception score"] = metrics.inception_score(classes, splits=min(10, len(b)), seed=self.seed)
            figures["mode score"] = metrics.mode_score(classes, self.classes)
        if len(a) > self.k:
            p = metrics.prdc(a, b, k=self.k)
            figures |= {n: getattr(p, n) for n in ("precision", "recall", "density", "coverage")}
        return figures

    def _features(self, model: Model, x: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        if not isinstance(self.judge, metrics.Classifier) or self.judge.shape != model.spec.shape:
            return metrics.pixels(x), None
        rows = raw_units(model, x)
        return metrics.extract(self.judge, rows), None if self.quick else self.judge.probabilities(rows)


def measure(
    model: Model, source: Source, *, seed: int = 0, judge: Any = "pixels", k: int = 5, most: int = 10_000
) -> dict[str, Figure]:
    """Everything that the model and the data allow and that compares between systems.

    Clusters, reconstructions, and samples: modes alone where the data has known ones, else see :class:`Ruler`. Never fewer
    samples than the published protocols of modes count.
    """
    figures: dict[str, Figure] = {}
    able = can(model.system)
    if "cluster" in able:
        figures |= clustering(model, source, seed)
    if "reconstruct" in able:
        figures |= reconstruction(model, source, seed)
    if "sample" in able:
        figures |= capture(model, source.name, seed, judge, most) or Ruler(source, judge, k=k, most=most, seed=seed)(model)
    return figures


def fits(judge: Any, source: Source, option: str) -> None:
    """Refuse a classifier of other rows than the data has; single digits are right for stacked ones.

    Raises:
        InputError: the shapes differ.
    """
    wanted = tuple(source.shape)
    if source.name == "stacked":
        wanted = (1, *wanted[1:])
    if tuple(judge.shape) != wanted:
        raise InputError(
            f"{option} takes rows of shape {tuple(judge.shape)}; the data has {wanted}; make features for this data with tacit features"
        )


def train_judge(name: str, load: dict[str, Any], seed: int = 0) -> metrics.Classifier | None:
    """A classifier of the labelled rows of some data (of the single digits, where they are stacked); None where none is labelled."""
    word, _, rest = name.partition(":")
    source = data.load(rest, split=load.get("split")) if word == "stacked" else data.load(name, **load)
    if source.labels is None or not (source.labels >= 0).any():
        return None
    return metrics.train_classifier(source.read(0, source.n), source.labels, seed=seed)
