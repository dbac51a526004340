"""The generator's activation and the critic's link, each changed alone, on the ring of eight Gaussians."""

from __future__ import annotations

from typing import Any

from tacit.claims import Claim, Context, Result
from tacit.claims._generators import contest, flat
from tacit.core import System

ACTS = (
    "relu", "leaky-relu", "parametric-relu", "elu", "softplus", "log2-softplus", "mu-relu:0", "mu-relu:0.5", "mu-relu:0.9", "lsu",
)  # fmt: skip
LINKS = ("logistic", "matsushita", "probit")


def systems() -> dict[str, System]:
    """One GAN for each activation under the logistic link, and for each other link with relu."""
    from tacit.networks.mlp import MLP
    from tacit.objectives.f_divergence import FDivergence
    from tacit.priors.gaussian import Gaussian
    from tacit.rules.optimisers import Adam
    from tacit.systems.games.gan import GAN

    def make(act: str, link: str) -> System:
        rule = Adam(1e-3)
        objective = FDivergence("gan", alternative=True, link=link)  # type: ignore[arg-type]
        return GAN(networks=MLP(widths=(128, 128), act=act), prior=Gaussian(16), objective=objective, rule=rule, critic_rule=rule)

    return {**{act: make(act, LINKS[0]) for act in ACTS}, **{f"{link} link": make(ACTS[0], link) for link in LINKS[1:]}}


def signature_error(name: str) -> float:
    """max |v'(z) − χ(v(z))| over z between −6 and 6."""
    import torch

    from tacit.networks.activations import activation

    net: Any = activation(name).double()
    z = torch.linspace(-6.003, 6.002, 1201, dtype=torch.float64, requires_grad=True)
    v = net(z)
    (slope,) = torch.autograd.grad(v.sum(), z)
    return float((slope - net.signature(v)).abs().max().detach())


def run(context: Context) -> Result:
    """Fits stop with an error where a term is not finite, so that a result is a proof that none was."""
    steps = 1000 if context.small else 4000
    found = contest(context, systems(), "ring8", steps=steps, batch_size=128, precision="float32")
    errors = {f"signature error of {a}": signature_error(a) for a in ACTS}
    worst = max(errors.values())
    extra = flat(found, "modes", "high-quality share", "reverse KL") | errors
    return Result(dict.fromkeys(context.seeds, worst), extra, "largest |v' − χ(v)|; what activations and links give is shown, not judged")


CLAIM = Claim(
    id="nock-activations",
    paper="Nock et al. 2017, arXiv:1707.04385",
    published="a table (v' = χ(v)); on MNIST μ-ReLU over ReLU for most f",
    what="signatures of the generator's activations, and GANs on ring8 that differ in the activation or in the link alone",
    run=run,
    threshold=1e-9,
    larger=False,
    minutes=3,
)
