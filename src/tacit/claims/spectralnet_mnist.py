"""SpectralNet on MNIST, and what a user would pick instead."""

from __future__ import annotations

import numpy as np

from tacit.claims import Claim, Context, Result
from tacit.claims._baselines import lines
from tacit.claims._runs import fit_and_score, mean


def run(context: Context) -> Result:
    """Fit on the 60,000, score on the 10,000 that were not seen; the baselines on the same rows, for the first seed."""
    from tacit import data

    path = context.data("mnist")
    options = ["--steps", "1300"] if context.small else []
    scores = fit_and_score(context, "spectralnet", options, path, fit_load=["--split", "train"], test_load=["--split", "test"])
    train, test = data.load(path, split="train"), data.load(path, split="test")
    n = 5_000 if context.small else train.n
    rows = [s.read(0, m).reshape(m, -1).astype(np.float32) / 255 for s, m in ((train, n), (test, test.n))]
    assert test.labels is not None
    extra = {k: mean(scores, k) for k in ("purity", "NMI", "ARI", "minutes", "peak_mb")}
    extra |= {f"ACC of seed {s}": v["ACC"] for s, v in scores.items()}
    extra |= lines(rows[0], rows[1], test.labels, 10, context.seeds[0], context.say)
    return Result({s: v["ACC"] for s, v in scores.items()}, extra, "Hungarian ACC on the unseen test split; baselines for one seed")


CLAIM = Claim(
    id="spectralnet-mnist",
    paper="Shaham et al. 2018, arXiv:1801.01587",
    published="ACC .971, NMI .924, in sample",
    what="mean Hungarian ACC of SpectralNet on MNIST's test split, fitted on the training split without labels",
    run=run,
    threshold=0.96,
    minutes=35,
    data=("mnist",),
)
