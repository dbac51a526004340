"""``tacit evaluate``: every measure that a model and its data allow."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from tacit.cli import spec, uses
from tacit.cli.output import give, say, table, target
from tacit.cli.spec import Opt
from tacit.errors import InputError
from tacit.files import write_json
from tacit.model import Model, can

OPTIONS = [
    Opt("features", "FILE", "Features for FID, KID and PRDC: a file that tacit features wrote", default="the scaled data itself"),
    Opt("n", "INT", "Rows and samples that FID, KID and PRDC compare", short="-n", default="all rows, at most 10000"),
    Opt("k", "INT", "Neighbour that sets the radius of precision, recall, density and coverage", default="5"),
    Opt("json", help="Print JSON instead of a table", flag=True),
    Opt("out", "FILE.json", "Write the figures as JSON too", short="-o"),
]  # fmt: skip


def evaluate(given: dict[str, Any]) -> int:
    """Measure a model on data."""
    path = target(given["out"], (".json",)) if "out" in given else None
    seed = uses.seed_of(given)
    k, most = spec.convert(int, given.get("k", "5"), "--k"), spec.convert(int, given.get("n", "10000"), "-n")
    if k < 1 or most < 2:
        raise InputError(f"got --k {k} and -n {most}; expected --k of 1 or more and -n of 2 or more; raise them")
    model = uses.open_model(given)
    source = uses.rows_for(model, given)
    extractor: Any = "pixels"
    if "features" in given:
        from tacit.metrics import load_classifier

        extractor = load_classifier(given["features"])
        _refuse_features(extractor, source, given["features"])
    figures: dict[str, Any] = {}
    if "cluster" in can(model.system):
        figures |= clustering(model, source, seed)
    if "reconstruct" in can(model.system):
        figures |= reconstruction(model, source, seed)
    if "sample" in can(model.system):
        figures |= generation(model, source, seed, extractor, k, most)
    if "score" in can(model.system):
        scores = model.score(source, seed=seed)
        from tacit.metrics.figure import mean_figure

        figures["mean score"] = mean_figure(scores)
    if not figures:
        raise InputError(
            f"{type(model.system).__name__} can only {', '.join(can(model.system))}; "
            "expected a system with something to measure; use another"
        )
    found = {
        "run": str(given["run"]), "data": source.name, "rows": source.n, "features": given.get("features", "pixels"), "seed": seed,
        "figures": {n: f.to_json() for n, f in figures.items()},
    }  # fmt: skip
    if path is not None:
        write_json(path, found)
    if given.get("json"):
        import json

        give(json.dumps(found, indent=2))
        return 0
    table([{"measure": n, "value": f"{f.value:.4g}", "95 % interval": _interval(f), "n": f.n or ""} for n, f in figures.items()])
    if path is not None:
        say(f"the figures are in {path}")
    return 0


def _interval(f: Any) -> str:
    return (
        f"{f.low:.4g} … {f.high:.4g}" if f.low is not None and f.high is not None else f"± {f.se:.2g}" if f.se is not None else ""
    )


def _refuse_features(extractor: Any, source: Any, name: str) -> None:
    if tuple(extractor.shape) != tuple(source.shape):
        raise InputError(
            f"--features {name} takes rows of shape {tuple(extractor.shape)}; the data has {tuple(source.shape)}; "
            "make features for this data with tacit features"
        )


def prepared(model: Model, source: Any, most: int | None = None, seed: int = 0) -> np.ndarray:
    """Rows as the networks see them, ``(n, *shape)``; a seeded choice of them where there are more than ``most``."""
    if most is not None and source.n > most:
        source = source.subset(np.sort(np.random.default_rng(seed).choice(source.n, most, replace=False)))
    parts = [model.spec.prepare(source.read(s, min(s + 4096, source.n))) for s in range(0, source.n, 4096)]
    return torch.cat(parts).numpy()


def clustering(model: Model, source: Any, seed: int) -> dict[str, Any]:
    """Agreement with labels where there are any; silhouette in the space of the codes, or of the data."""
    from tacit import metrics

    found = model.cluster(source, seed=seed)
    figures: dict[str, Any] = {}
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


def reconstruction(model: Model, source: Any, seed: int) -> dict[str, Any]:
    """Mean squared error of a number, in scaled units."""
    from tacit.metrics.figure import mean_figure

    x = prepared(model, source, 10_000, seed)
    n = len(x)
    rows = source if source.n == n else source.subset(np.sort(np.random.default_rng(seed).choice(source.n, n, replace=False)))
    back = model.reconstruct(rows, seed=seed, raw=False)
    return {"reconstruction MSE": mean_figure(np.square(back - x).reshape(n, -1).mean(1))}


def generation(model: Model, source: Any, seed: int, extractor: Any, k: int, most: int) -> dict[str, Any]:
    """FID, KID, precision, recall, density, coverage; modes where the data has known ones."""
    from tacit import metrics
    from tacit.data import worlds

    real = prepared(model, source, most, seed)
    fake = model.sample(len(real), seed=seed, raw=False)
    if extractor == "pixels":
        a, b = metrics.pixels(real), metrics.pixels(fake)
    else:
        # The classifier was trained on the data in its own units.
        a, b = (metrics.extract(extractor, raw_units(model, x)) for x in (real, fake))
    figures: dict[str, Any] = {"FID": metrics.fid(a, b), "KID": metrics.kid(a, b, subset_size=min(1000, len(a)), seed=seed)}
    if len(a) > k:
        p = metrics.prdc(a, b, k=k)
        figures |= {n: getattr(p, n) for n in ("precision", "recall", "density", "coverage")}
    if source.name.partition(":")[0] in ("ring8", "grid25"):
        means, sd = worlds.modes(source.name)
        m = metrics.modes(model.sample(max(len(real), 2500), seed=seed), means, sd)
        figures[f"modes captured, of {m.n_modes}"] = metrics.Figure(float(m.captured), n=2500)
        if m.high_quality is not None:
            figures["high-quality share"] = m.high_quality
    return figures


def raw_units(model: Model, x: np.ndarray) -> np.ndarray:
    """Scaled rows in the data's own units, still ``(n, *shape)``."""
    raw = model.spec.undo(x)
    return (raw if model.spec.layout is None else model.spec.layout.apply(raw)).reshape(len(x), *model.spec.shape)


def features(given: dict[str, Any]) -> int:
    """Train the classifier whose features the measures use."""
    from tacit.cli.sources import load_options
    from tacit.data import load
    from tacit.metrics import train_classifier

    if "out" not in given:
        raise InputError("tacit features got no -o; expected a file to write; add e.g. -o features.safetensors")
    path, seed = target(given["out"], (".safetensors",)), uses.seed_of(given)
    source = load(given["data"], **load_options(given))
    if source.labels is None or not (source.labels >= 0).any():
        raise InputError(f"{source.name} has no labels; expected labelled rows to train a classifier on; name them with --label")
    epochs = spec.convert(int, given["epochs"], "--epochs") if "epochs" in given else None
    net = train_classifier(source.read(0, source.n), source.labels, seed=seed, epochs=epochs)
    net.save(path)
    say(f"held-out accuracy {net.accuracy}; the features are in {path}; use them with: tacit evaluate RUN DATA --features {path}")
    return 0
