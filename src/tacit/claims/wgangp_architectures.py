"""WGAN with a gradient penalty trains over architectures with which weight clipping fails."""

from __future__ import annotations

from typing import Any

from tacit.claims import Claim, Context, Result
from tacit.claims._generators import contest
from tacit.core import Networks, System

COLLAPSED = 0.25
"""A run has collapsed where the coverage is below this: the share of real rows with a sample nearer than their fifth neighbour."""


def architectures() -> dict[str, Networks]:
    """Six pairs; with normalisation it is of the batch in G and of the layer in D, where a penalty on rows allows it."""
    from tacit.networks import DCGAN, MLP, ResNet

    pairs: dict[str, Networks] = {}
    for name, batch, layer in (("", "none", "none"), (" with norm", "batch", "layer")):
        pairs[f"MLP{name}"] = MLP(widths=(256, 256), norm=batch, critic_norm=layer)
        pairs[f"conv{name}"] = DCGAN(width=32, dense=128, init_std=0.0, norm=batch, critic_norm=layer)
        pairs[f"ResNet{name}"] = ResNet(width=16, norm=batch, critic_norm=layer)
    return pairs


def systems() -> dict[str, System]:
    """Each method at its own paper's setting for every pair: critic steps, optimiser, rate, penalty or clip."""
    from tacit.penalties import GradientPenalty, WeightClipping
    from tacit.priors import Gaussian
    from tacit.rules import Adam, RMSProp
    from tacit.systems import WGANGP

    quick = Adam(1e-3, (0.0, 0.9), schedule="late-linear")
    methods: dict[str, dict[str, Any]] = {
        "penalty": {"rule": quick, "critic_rule": quick},
        "one-sided": {"rule": quick, "critic_rule": quick, "penalty": GradientPenalty(10.0, one_sided=True)},
        "clipping": {"penalty": WeightClipping(0.01), "rule": RMSProp(5e-4, schedule="late-linear"), "critic_rule": RMSProp(5e-4, schedule="late-linear")},
    }
    return {
        f"{method}, {pair}": WGANGP(networks=networks, prior=Gaussian(32), **options)
        for method, options in methods.items() for pair, networks in architectures().items()
    }  # fmt: skip


def run(context: Context) -> Result:
    """Fit the 8×8 digits with the same updates and batches; coverage of them by as many samples, on features of a classifier."""
    found = contest(context, systems(), "digits", steps=300 if context.small else 1500, batch_size=64, precision="float32")
    coverage = {k: {s: v["coverage"] for s, v in by_seed.items()} for k, by_seed in found.items()}
    extra: dict[str, float] = {}
    for method in ("penalty", "one-sided", "clipping"):
        own = {k: v for k, v in coverage.items() if k.startswith(method)}
        failed = [sum(by_seed[s] < COLLAPSED for by_seed in own.values()) for s in context.seeds]
        extra |= {f"most failures of {method}": max(failed), f"least failures of {method}": min(failed)}
        extra |= {f"coverage of {k}": sum(v.values()) / len(v) for k, v in own.items()}
    worst = {s: min(v[s] for k, v in coverage.items() if k.startswith("penalty")) for s in context.seeds}
    return Result(worst, extra, "the lowest coverage of six architectures under the penalty; below 1/4 is called a collapse")


def holds(result: Result) -> bool:
    """The penalty never collapses, and clipping does with some architecture for every seed."""
    return result.extra["most failures of penalty"] == 0 and result.extra["least failures of clipping"] >= 1


CLAIM = Claim(
    id="wgangp-architectures",
    paper="Gulrajani et al. 2017, arXiv:1704.00028",
    published="of the methods compared only WGAN-GP trained every architecture with one set of hyperparameters (figure 2)",
    what="lowest coverage of WGAN-GP over six pairs of networks on digits, none collapsed where weight clipping is in one or more",
    run=run,
    threshold=holds,
    minutes=12,
)
