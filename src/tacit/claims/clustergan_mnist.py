"""ClusterGAN on MNIST, without a label."""

from __future__ import annotations

from tacit.claims import Claim, Context, Result
from tacit.claims._runs import fit_and_score, mean


def run(context: Context) -> Result:
    """Fit on the 60,000, score on the 10,000 that were not seen; the settings are the system's defaults."""
    options = ["--steps", "2000"] if context.small else []
    scores = fit_and_score(
        context, "clustergan", options, context.data("mnist"), fit_load=["--split", "train"], test_load=["--split", "test"]
    )
    extra = {k: mean(scores, k) for k in ("purity", "NMI", "ARI", "minutes", "peak_mb")}
    extra |= {f"ACC of seed {s}": v["ACC"] for s, v in scores.items()}
    return Result(
        {s: v["ACC"] for s, v in scores.items()}, extra,
        "Hungarian ACC on the unseen test split; with the terms on real rows (balance, certainty, stability), which the paper lacks",
    )  # fmt: skip


CLAIM = Claim(
    id="clustergan-mnist",
    paper="Mukherjee et al. 2019, arXiv:1809.03627",
    published="ACC .95 (best of several runs, chosen by labels); mean purity of ten runs of the authors' code .910",
    what="mean Hungarian ACC of ClusterGAN on MNIST's test split, fitted on the training split without labels",
    run=run,
    threshold=0.80,
    target=0.91,
    minutes=30,
    data=("mnist",),
)
