"""``tacit evaluate``: every measure that a model and its data allow."""

from __future__ import annotations

from typing import Any

from tacit.cli import spec, uses
from tacit.cli.output import give, say, table, target
from tacit.cli.spec import Opt
from tacit.errors import InputError
from tacit.files import write_json
from tacit.model import can

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
    from tacit.comparison import measures

    judge: Any = "pixels"
    if "features" in given:
        from tacit.metrics import load_classifier

        judge = load_classifier(given["features"])
        measures.fits(judge, source, f"--features {given['features']}")
    figures: dict[str, Any] = {}
    able = can(model.system)
    if "cluster" in able:
        figures |= measures.clustering(model, source, seed)
    if "reconstruct" in able:
        figures |= measures.reconstruction(model, source, seed)
    if "sample" in able:
        figures |= measures.Ruler(source, judge, k=k, most=most, seed=seed)(model)
        figures |= measures.capture(model, source.name, seed, judge, min(most, source.n))
    if "score" in able:
        figures["mean score"] = measures.mean_figure(model.score(source, seed=seed))
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
