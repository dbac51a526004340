"""Which restrictions of the discriminator make the Dirac game converge, and how fast."""

from __future__ import annotations

import math

import numpy as np

from tacit.claims import Claim, Context, Result
from tacit.claims._play import dirac, factor, path

H, GAMMA, RADIUS = 0.1, 0.4, 0.05


def run(context: Context) -> Result:
    """Contraction a step near the equilibrium against the eigenvalues there; and where those end that do not settle."""
    import tacit
    from tacit.penalties import WeightDecay

    zeros = np.zeros((4, 1))
    sgd, paid = tacit.SGD(H), tacit.Minimax()
    steps = (128, 400) if context.small else (512, 1500)
    worst: dict[int, float] = {}
    extra: dict[str, float] = {}

    def determinant(gamma: float) -> float:
        """|1 + hλ| for the complex pair λ = −γ/2 ± √(γ²/4 − ¼)."""
        return math.sqrt(1 - H * gamma + H**2 / 4)

    for seed in context.seeds:
        angle = np.random.default_rng(seed).uniform(0, 2 * np.pi)
        start = RADIUS * math.cos(angle), RADIUS * math.sin(angle)
        errors = []
        for name, penalty, want in (
            ("none", tacit.NoPenalty(), determinant(0)),
            ("‖∇D‖² on real", tacit.GradientNorm(GAMMA, "real"), determinant(GAMMA)),
            ("‖∇D‖² on fake", tacit.GradientNorm(GAMMA, "fake"), determinant(GAMMA)),
            ("‖∇D‖² on both", tacit.GradientNorm(GAMMA, "both"), determinant(2 * GAMMA)),
            ("weight decay", WeightDecay(GAMMA), determinant(GAMMA)),
        ):
            radius = np.linalg.norm(path(dirac(*start, sgd, objective=paid, penalty=penalty), zeros, steps[0]), axis=1)
            got = factor(radius)
            errors.append(abs(got / want - 1))
            extra |= {f"{name}: growth a step, seed {seed}": got, f"{name}: closed form": want}
        for name, objective, penalty in (
            ("(‖∇D‖ − 1)²", paid, tacit.GradientPenalty(1.0)),
            ("max(0, ‖∇D‖ − 1)²", paid, tacit.GradientPenalty(1.0, one_sided=True)),
            ("Wasserstein with (‖∇D‖ − 1)²", tacit.Wasserstein(), tacit.GradientPenalty(1.0)),
            ("Wasserstein with clipping to 1", tacit.Wasserstein(), tacit.WeightClipping(1.0)),
        ):
            game = dirac(*start, sgd, objective=objective, penalty=penalty)
            far = np.linalg.norm(path(game, zeros, steps[1]), axis=1)[2 * steps[1] // 3 :]
            extra[f"{name}: mean distance at the end, seed {seed}"] = float(far.mean())
        worst[seed] = max(errors)
        context.say(f"seed {seed}: worst relative error {worst[seed]:.2g}")
    return Result(worst, extra, f"step {H}, γ = {GAMMA}, from a distance of {RADIUS}; at once; the Dirac game of the minimax objective")


def settles(result: Result) -> bool:
    """Rates within 1 %; what has no restoring force stays farther from the equilibrium than where it began."""
    others = [v for k, v in result.extra.items() if "mean distance" in k]
    return max(result.values.values()) <= 0.01 and min(others) > RADIUS


CLAIM = Claim(
    id="gradient-penalties-dirac",
    paper="Mescheder et al. 2018, arXiv:1801.04406",
    published="E‖∇D‖² converges, λ = −γ/2 ± √(γ²/4 − ¼); WGAN, WGAN-GP and the unregularised game do not",
    what="largest relative error of the Dirac game's contraction a step against the eigenvalues' under each restriction of D",
    run=run,
    threshold=settles,
    larger=False,
    minutes=0.3,
)
