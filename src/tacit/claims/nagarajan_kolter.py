"""The linear-quadratic Wasserstein game with and without the regulariser for local stability."""

from __future__ import annotations

import math

import numpy as np

from tacit.claims import Claim, Context, Result
from tacit.claims._play import path


def run(context: Context) -> Result:
    """Distance to the equilibrium over that of the start, by each way to play, on all rows at a time."""
    import tacit

    step, steps, rows = (0.04, 400, 1024) if context.small else (0.04, 1200, 1024)
    values: dict[int, float] = {}
    extra: dict[str, float] = {}
    for seed in context.seeds:
        rng = np.random.default_rng(seed)
        x = rng.uniform(-1, 1, (rows, 1))
        start = tacit.networks.LinearQuadratic(a=rng.uniform(0.7, 1.2), b=0.0, w2=rng.uniform(0.3, 0.6), w1=0.0)
        # Data come to the game with variance 1, so that G must stretch z ~ U[−1, 1] by √3.
        aim = np.array([0.0, 0.0, math.sqrt(3), 0.0])
        first = float(np.linalg.norm(np.array([start.w2, start.w1, start.a, start.b]) - aim))
        sgd = tacit.SGD(step)
        for name, rule, critic_rule, simultaneous in (
            ("η = 0 at once", sgd, sgd, True),
            ("η = 0 in turn", sgd, sgd, False),
            ("η = .5 at once", tacit.rules.LocalStability(sgd, 0.5), tacit.rules.LocalStability(sgd, 0.5), True),
            ("η = .5 in turn", tacit.rules.LocalStability(sgd, 0.5), sgd, False),
        ):
            game = tacit.GAN(
                networks=start, prior=tacit.priors.Uniform(1), objective=tacit.Wasserstein(), penalty=tacit.WeightClipping(1e9),
                rule=rule, critic_rule=critic_rule, simultaneous=simultaneous,
            )  # fmt: skip
            far = np.linalg.norm(path(game, x, steps, seed) - aim, axis=1) / first
            half = far[steps // 2 :]
            extra |= {f"{name}: least, seed {seed}": float(half.min()), f"{name}: largest, seed {seed}": float(half.max())}
        values[seed] = max(extra[f"η = .5 {how}: largest, seed {seed}"] for how in ("at once", "in turn"))
        context.say(f"seed {seed}: " + ", ".join(f"{k} {v:.3g}" for k, v in extra.items() if k.endswith(f"seed {seed}")))
    return Result(values, extra, "distance to the equilibrium in the second half of the steps, over that of the start")


def settles(result: Result) -> bool:
    """Within 5 % of the start's distance with the regulariser; never within half of it without."""
    without = [v for k, v in result.extra.items() if k.startswith("η = 0") and ": least" in k]
    return max(result.values.values()) <= 0.05 and min(without) >= 0.5


CLAIM = Claim(
    id="nagarajan-kolter",
    paper="Nagarajan & Kolter 2017, arXiv:1706.04156",
    published="the linear-quadratic WGAN cycles; with the regulariser it converges (figure 1)",
    what="distance to the equilibrium of the linear-quadratic Wasserstein game with the regulariser, relative to the start's",
    run=run,
    threshold=settles,
    larger=False,
    minutes=0.5,
)
