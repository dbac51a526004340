"""The study: views, a number of clusters, candidates, a choice, one model that labels new rows."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tacit import data as data_
from tacit import engine, metrics
from tacit.data import Source
from tacit.errors import InputError
from tacit.files import atomic, write_json
from tacit.model import Model
from tacit.study import rows as rows_
from tacit.study.candidates import Candidate, aligned, run
from tacit.study.judge import MEANING, judge, rivals, sureness
from tacit.study.number import Suggestion, suggest
from tacit.study.views import Views, views
from tacit.study.work import NAME, Work
from tacit.systems.clusters.distilled import Distilled
from tacit.version import __version__

OWN = ("system.json", "weights.safetensors", "study.html", "study.json", "labels.csv", "log.jsonl", "config.json")


@dataclass
class Study:
    """What a study found.

    Attributes:
        model: labels any row: ``model.cluster(new)``; ``model.score(new) < 0`` are leftovers.
        labels: the model's cluster of every row of the data, int64 ``(n,)``.
        share: ``(n,)`` of the studied rows, how many of the choice's own parts agree on the row.
        leftovers: bool ``(n,)``, rows of the data that are far from all others of their cluster.
        n_clusters: k.
        suggestion: the k that the study suggests, and why; it is used unless another was given.
        candidates: all that were run, the chosen one first.
        sure: "quite sure", "fairly sure" or "not sure". reasons: why.
        agreement: share of held-out rows to which the model gives the same cluster as the chosen candidate.
        known: ACC, NMI and ARI of the model against labels that the data has and the study never read.
        notes: what a reader should know.
        about: data, options, seconds.
        page: the page, or None.
    """

    model: Model
    labels: np.ndarray
    share: np.ndarray
    leftovers: np.ndarray
    n_clusters: int
    suggestion: Suggestion
    candidates: list[Candidate]
    sure: str
    reasons: list[str]
    agreement: float
    known: dict[str, float]
    notes: list[str]
    about: dict[str, Any]
    views: Views
    rows: rows_.Rows
    page: Path | None = None
    confused: list[tuple[int, int, float]] = field(default_factory=list)

    @property
    def chosen(self) -> Candidate:
        return self.candidates[0]

    def to_json(self) -> dict[str, Any]:
        """Everything but the rows and the model, for ``study.json``."""
        s = self.suggestion
        return {
            "tacit": __version__, **self.about, "n_clusters": self.n_clusters,
            "sizes": np.bincount(self.labels, minlength=self.n_clusters).tolist(),
            "leftovers": int(self.leftovers.sum()), "sure": self.sure, "reasons": self.reasons,
            "suggestion": {"k": s.k, "rules": s.rules, "certain": s.certain, "components": s.components, "table": s.table},
            "chosen": self.chosen.name, "agreement of the model with it on held-out rows": self.agreement,
            "candidates": [
                {
                    "name": c.name, "clusters": c.k, **c.scores, "rank": c.rank, "seconds": round(c.seconds, 2),
                    "left over": None if c.left is None else int(c.left.sum()), "labels, not used": c.known or None,
                }
                for c in self.candidates
            ],
            "criteria": MEANING, "labels, not used": self.known or None, "notes": self.notes,
        }  # fmt: skip


def cluster_study(
    data: Any,
    *,
    out: str | Path | None = None,
    n_clusters: int | None = None,
    counts: bool = False,
    thorough: bool = False,
    seed: int = 0,
    most_rows: int = 100_000,
    load: Mapping[str, Any] | None = None,
    page: bool = True,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Study:
    """Cluster rows that nobody has labelled: run several clusterers, choose without labels, say how sure, leave one model.

    Candidates: k-means, Gaussian mixture and spectral clustering of the rows; UMAP with a Gaussian mixture and with HDBSCAN, of the
    rows, of an autoencoder's code and of what all views share; and a consensus of the rows and several autoencoders. The choice is
    the best separated on the shared neighbour graph of those that come out the same on other rows. Labels that the data has are
    compared with at the end and are read nowhere before. The chosen clusters are taught to a network, which is the model, and
    whose answers are the labels.

    Args:
        data: as :func:`tacit.data.load` takes it.
        out: folder for the model, ``study.html``, ``study.json`` and ``labels.csv``; None keeps nothing.
        n_clusters: k; None takes the suggested one.
        counts: rows are counts (single cells, words): each is divided by its total, times 10,000, then log(1 + ·).
        thorough: run SpectralNet and ClusterGAN too.
        seed: of everything.
        most_rows: rows that are studied, at most; the model labels all.
        load: options of :func:`tacit.data.load`.
        page: write the page.
        overwrite: replace what is in ``out``.
        say: is given a line now and then.

    Raises:
        InputError: data or options that cannot be used; nothing was written.
        Interrupted: SIGINT or SIGTERM; with ``out`` its fits are kept there until the same study has been done.

    >>> import numpy as np
    >>> x = np.concatenate([np.random.default_rng(0).normal(c, 1, (60, 3)) for c in (0.0, 9.0)])
    >>> found = cluster_study(x)
    >>> found.n_clusters, len(set(found.labels[:60])), found.model.cluster(x[:1]).shape
    (2, 1, (1,))
    """
    folder = _folder(out, overwrite)
    if isinstance(seed, bool) or seed != int(seed) or seed < 0:
        raise InputError(f"cluster_study got seed={seed}; expected a whole number of 0 or more; choose another")
    if most_rows < 20:
        raise InputError(f"cluster_study got most_rows={most_rows}; expected 20 or more; raise it")
    source = data_.load(data, **dict(load or {}))
    if n_clusters is not None and not 2 <= n_clusters <= min(source.n, most_rows) // 5:
        raise InputError(
            f"cluster_study got n_clusters={n_clusters} for {source.n} rows; expected 2 or more, and at least 5 rows for each; mend it"
        )
    began, spent = time.monotonic(), time.process_time()
    rows = rows_.prepare(source, counts, seed, most_rows)
    work = Work(folder / NAME if folder is not None else None)
    with work.resumable():
        found = _found(source, rows, n_clusters, thorough, seed, say, work)
    found.about |= {
        "name": source.name, "rows": source.n, "studied": rows.n, "shape": list(source.shape), "seed": seed, "counts": counts,
        "seconds": round(time.monotonic() - began, 1), "cpu_seconds": round(time.process_time() - spent, 1),
        "peak_memory_mb": round(engine.peak_memory_mb(), 1),
    }  # fmt: skip
    _beside_labels(found, source)
    if folder is not None:
        _write(found, source, folder, page)
    work.clear()
    return found


def _found(
    source: Source, rows: rows_.Rows, n_clusters: int | None, thorough: bool, seed: int, say: Callable[[str], None], work: Work
) -> Study:
    """Views, a number, candidates, a choice and its model."""
    seen = views(rows, seed, say, work=work)
    say("how many clusters")
    suggestion = suggest(seen, seed)
    k = n_clusters or suggestion.k
    candidates, notes = run(seen, rows, k, seed, thorough, say, work)
    chosen = judge(candidates, seen, k, seed, say)
    k = chosen.k
    candidates.sort(key=lambda c: (c is not chosen, c.rank is None, c.rank or 0))
    sure, reasons = sureness(chosen, candidates)
    say(f"a network learns the clusters of: {chosen.name}")
    share = shares(chosen, candidates)
    model, agreement = distil(rows, chosen, share, seed)
    labels = model.cluster(source)
    leftovers = np.asarray(model.score(source) < 0)
    model.info["study"] = {"chosen": chosen.name, "sure": sure, "n_clusters": k}
    return Study(
        model, labels, share, leftovers, k, suggestion, candidates, sure, reasons, agreement, {}, [*rows.notes, *notes], {}, seen, rows,
        confused=confused(chosen, candidates, k),
    )  # fmt: skip


def _folder(out: Any, overwrite: bool) -> Path | None:
    if out is None:
        return None
    folder = Path(out).expanduser()
    if folder.exists() and not folder.is_dir():
        raise InputError(f"the folder {folder} is a file; expected a new or empty folder; choose another name")
    if any((folder / name).exists() for name in OWN) and not overwrite:
        raise InputError(f"{folder} already holds a study or a run; expected a new folder; choose another, or overwrite it")
    return folder


def shares(chosen: Candidate, candidates: list[Candidate]) -> np.ndarray:
    """How many of the choice's own parts agree on each row; of the next best candidates, where it has no parts."""
    if chosen.share is not None:
        return chosen.share
    others = [aligned(chosen.labels, c.labels) == chosen.labels for c in rivals(chosen, candidates)]
    return np.mean(others, 0) if others else np.ones(len(chosen.labels))


def distil(rows: rows_.Rows, chosen: Candidate, share: np.ndarray, seed: int) -> tuple[Model, float]:
    """The model, taught by the rows whose cluster is undisputed, a tenth of all held out; and its agreement with the choice on those."""
    n, k = rows.n, chosen.k
    rng = np.random.default_rng((seed, 5))
    held = np.zeros(n, bool)
    held[rng.permutation(n)[: max(n // 10, 1)]] = True
    certain = share > 0.99
    # A cluster that is disputed everywhere is taught by all of its rows.
    for c in range(k):
        mine = chosen.labels == c
        if (certain & mine & ~held).sum() < max(5, 0.3 * mine.sum()):
            certain |= mine
    weights = np.where(held, 0.0, np.where(certain, 1.0, 0.1))
    system = Distilled(n_clusters=k, counts=rows.counts, components=rows.components)
    steps = int(np.clip(20 * n / 256, min(2000, 5 * n), 4000))
    source: Source = rows.source.with_labels(chosen.labels, [str(c) for c in range(k)])
    model = engine.fit(system, {"x": source}, weights=weights, steps=steps, batch_size=256, seed=seed, precision="float32")
    held_rows = rows.source.subset(np.flatnonzero(held))
    return model, float((model.cluster(held_rows) == chosen.labels[held]).mean())


def confused(chosen: Candidate, candidates: list[Candidate], k: int) -> list[tuple[int, int, float]]:
    """Pairs of clusters between which the choice and the next best of k clusters put rows differently, with the share of rows."""
    next_best = rivals(chosen, candidates)
    if not next_best:
        return []
    other = aligned(chosen.labels, next_best[0].labels)
    table = np.zeros((max(k, int(other.max()) + 1),) * 2)
    np.add.at(table, (chosen.labels, other), 1)
    both = np.triu(table + table.T, 1)
    order = np.argsort(-both, axis=None)[:5]
    pairs = [(int(i), int(j), float(both[i, j] / len(other))) for i, j in zip(*np.unravel_index(order, both.shape), strict=True)]
    return [p for p in pairs if p[2] > 0]


def _beside_labels(found: Study, source: Source) -> None:
    """Agreement with labels that the data has: after every decision, for the reader alone."""
    y = found.rows.source.labels
    if source.labels is None or y is None or not (y >= 0).any():
        return
    found.known = _known(source.labels, found.labels)
    for c in found.candidates:
        c.known = _known(y, c.labels)


def _known(y: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    measures = {"ACC": metrics.accuracy, "NMI": metrics.nmi, "ARI": metrics.ari}
    return {name: round(m(y, labels, bootstrap=0).value, 4) for name, m in measures.items()}


def _write(found: Study, source: Source, folder: Path, page: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in OWN:
        (folder / name).unlink(missing_ok=True)
    found.model.save(folder)
    found.model.run = folder
    with atomic(folder / "labels.csv") as f:
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow(["id", "cluster", "leftover"])
        writer.writerows(zip(source.row_ids(), found.labels.tolist(), found.leftovers.astype(int).tolist(), strict=True))
    write_json(folder / "study.json", found.to_json())
    if page:
        from tacit.study.page import write

        found.page = write(found, folder)


