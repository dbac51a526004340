"""How plain play, and what was made to mend it, moves on the bilinear game."""

from __future__ import annotations

import math

import numpy as np

from tacit.claims import Claim, Context, Result
from tacit.claims._play import dirac, factor, path

H, GAMMA, BETA = 0.1, 0.6, 0.9


def run(context: Context) -> Result:
    """Each figure against its closed form, from a start of a random angle."""
    import tacit

    zeros = np.zeros((4, 1))
    steps = 100 if context.small else 300
    worst: dict[int, float] = {}
    extra: dict[str, float] = {}
    for seed in context.seeds:
        angle = np.random.default_rng(seed).uniform(0, 2 * np.pi)
        theta, psi = math.cos(angle), math.sin(angle)
        found: dict[str, tuple[float, float]] = {}
        step = tacit.SGD(H)
        for name, rule, want in (
            ("simultaneous", step, math.sqrt(1 + H**2)),
            ("extragradient", tacit.Extragradient(step, H), math.sqrt(1 - H**2 + H**4)),
            ("consensus", tacit.Consensus(step, GAMMA), math.sqrt((1 - H * GAMMA) ** 2 + H**2)),
        ):
            radius = np.linalg.norm(path(dirac(theta, psi, rule), zeros, steps), axis=1)
            found[f"{name}: growth a step"] = factor(radius), want
        # x' = x − hy, y' = y + hx' keeps q = x² + y² − hxy: an ellipse.
        xy = path(dirac(theta, psi, step, simultaneous=False), zeros, 6 * steps)
        radius, q = np.linalg.norm(xy, axis=1), psi**2 + theta**2 - H * psi * theta
        found["alternating: growth a step"] = factor(radius), 1.0
        found["alternating: largest radius"] = float(radius.max()), math.sqrt(q / (1 - H / 2))
        found["alternating: least radius"] = float(radius.min()), math.sqrt(q / (1 + H / 2))
        # D alone on ψ²/2 by Adam, where √v̂ is small beside eps: the heavy ball's quadratic form falls by β₁ a step.
        ball = dirac(
            0.0, 1.0, tacit.SGD(1e-30), tacit.Adam(0.5e12, (BETA, 0.999), eps=1e12), objective=tacit.Minimax(),
            penalty=tacit.GradientNorm(1.0),
        )  # fmt: skip
        w = path(ball, zeros, 200)[100:, 0]
        form = w[1:] ** 2 - (1 + BETA - 0.5 * (1 - BETA)) * w[1:] * w[:-1] + BETA * w[:-1] ** 2
        found["Adam as a heavy ball: fading a step"] = math.sqrt(factor(form)), math.sqrt(BETA)
        worst[seed] = max(abs(got / want - 1) for got, want in found.values())
        for name, (got, want) in found.items():
            extra |= {f"{name}, seed {seed}": got, f"{name}, closed form of seed {seed}": want}
        context.say(f"seed {seed}: worst relative error {worst[seed]:.2g}")
    return Result(worst, extra, f"step {H}, γ = {GAMMA}; simultaneous play spirals out, alternating play circles, the others spiral in")


CLAIM = Claim(
    id="dynamics-rates",
    paper="Gidel et al. 2019, arXiv:1802.10551; Mescheder et al. 2017, arXiv:1705.10461; Heusel et al. 2017, arXiv:1706.08500",
    published="closed forms: √(1 + h²) at once, an ellipse in turn, √(1 − h² + h⁴), √((1 − hγ)² + h²), √β₁",
    what="largest relative error of measured radii and rates on the bilinear game against their closed forms",
    run=run,
    threshold=0.01,
    larger=False,
    minutes=0.2,
)
