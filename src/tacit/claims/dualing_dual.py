"""Dualing GAN: a linear discriminator's dual is what its primal is, and climbing it does not oscillate."""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tacit.claims import Claim, Context, Result
from tacit.core import Nets, Rng, Round
from tacit.core.field import Field

RATES = (0.03, 0.1, 0.3)
RATE = 0.1
"""The rate that is claimed; the others are reported."""


def game(rows: int, seed: int, rate: float, **options: Any) -> tuple[Any, Nets, Round]:
    """A Dualing GAN with a linear D, its networks, and the one round of a full batch: rows of ring8 and as many latents."""
    import tacit
    from tacit.data import Spec, worlds

    system = tacit.DualingGAN(
        prior=tacit.Gaussian(2), networks=tacit.MLP(widths=(64, 64)), n_features=128, bandwidths=(0.3, 0.6, 1.0), ridge=0.01,
        rule=tacit.SGD(rate), **options,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        nets = Nets(system.nets(Spec(shape=(2,))))
    x = torch.from_numpy(worlds.make("ring8", rows, seed=seed).read(0, rows))
    return system, nets, Round(x=x, z=Rng(1 + seed).normal(rows, 2), memory={}, step=0, progress=0.0)


def curve(rows: int, seed: int, rate: float, steps: int, **options: Any) -> np.ndarray:
    """f after each step: of the dual where the critic is solved, of the primal else. D begins at the dual's optimum in both."""
    system, nets, r = game(rows, seed, rate, **options)
    for name, value in system.solve(nets, r, lambda t: t).items():
        nets.D.get_parameter(name.removeprefix("D.")).data.copy_(value)
    players, turns = {p.name: p for p in system.players()}, {}
    for turn in system.phases()[0].turns:
        player = players[turn.names[0]]
        turns[player.name] = Field(system, nets, [player], [r]), turn.rules[0].bind([nets.parameters(player.owns)])
    solved = system.critic_rule.needs == "solve"
    found = []
    with torch.no_grad():
        for _ in range(steps):
            for name in ("generator",) if solved else ("critic", "generator"):
                field, stepper = turns[name]
                stepper.step(field)
            log = turns["generator" if solved else "critic"][0].log
            found.append(float(sum(log.values())) * (-1 if solved else 1))
    return np.array(found)


def oscillation(values: np.ndarray) -> float:
    """Total variation over net change: 1 where the curve is monotone."""
    return float(np.abs(np.diff(values)).sum() / abs(values[-1] - values[0]))


def gap(rows: int, seed: int) -> float:
    """|dual optimum − primal optimum| on a small batch: the linear program for several C, and the scores' within a trust region."""
    from scipy.optimize import minimize

    from tacit.systems.games.dualing import flatten, tangents
    from tacit.uses.dual import logistic_dual

    def primal(a: Tensor, b: Tensor, w: Tensor, c: float, radius: float) -> float:
        A, B, W = a.numpy(), b.numpy(), w.numpy()

        def f(s: np.ndarray) -> tuple[float, np.ndarray]:
            t = -B - A @ s
            slope = c * (W + s) - A.T @ (1 / (1 + np.exp(-t))) / len(A)
            return c / 2 * float(np.square(W + s).sum()) + float(np.logaddexp(0, t).mean()), slope

        start = np.zeros(len(W))
        if math.isinf(radius):
            options = {"maxiter": 50_000, "maxfun": 100_000, "ftol": 1e-15, "gtol": 1e-9}
            return float(minimize(f, start, jac=True, method="L-BFGS-B", options=options).fun)
        ball = {"type": "ineq", "fun": lambda s: radius - 0.5 * s @ s, "jac": lambda s: -s}
        return float(minimize(f, start, jac=True, method="SLSQP", constraints=ball, options={"maxiter": 500, "ftol": 1e-12}).fun)

    import tacit

    _, n, r = game(rows, seed, 0.1)
    a = torch.cat([n.F(r.x), -n.F(n.G(r.z))]).double().detach()
    programs = [(a, torch.zeros(2 * rows).double(), torch.zeros(a.shape[1]).double(), c, math.inf) for c in (0.1, 1e-2, 1e-3)]
    system, n, r = game(rows, seed, 0.1, discriminator="score")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        D = tacit.MLP(widths=(12,)).critic(type("S", (), {"shape": (2,), "bounded": False}))
    fake = n.G(r.z).detach()
    a = torch.cat([tangents(D, r.x), -tangents(D, fake)]).double()
    b = torch.cat([D(r.x), -D(fake)]).double().detach()
    programs += [(a, b, flatten(D.parameters()).double().detach(), system.ridge, radius) for radius in (0.01, 1.0)]
    return max(abs(float(logistic_dual(p[0], p[1], p[2], c=p[3], radius=p[4]).value) - primal(*p)) for p in programs)


def run(context: Context) -> Result:
    """Full batch, the same rate and the same start for both; then the programs of small batches against scipy's primal."""
    import tacit

    rows, steps = (32, 150) if context.small else (128, 600)
    values, extra, worst = {}, {}, 0.0
    ratios: dict[str, list[float]] = {}
    for seed in context.seeds:
        for rate in (RATE,) if context.small else RATES:
            dual = oscillation(curve(rows, seed, rate, steps))
            primal = oscillation(curve(rows, seed, rate, steps, critic_rule=tacit.SGD(rate)))
            context.say(f"seed {seed}, rate {rate}: dual {dual:.4g}, primal {primal:.4g}")
            for name, v in ((f"dual at {rate}", dual), (f"primal at {rate}", primal), (f"ratio at {rate}", dual / primal)):
                ratios.setdefault(name, []).append(v)
            if rate == RATE:
                values[seed] = dual / primal
        worst = max(worst, gap(16, seed))
    extra = {k: statistics.fmean(v) for k, v in ratios.items()} | {"worst ratio": max(values.values()), "gap": worst}
    return Result(values, extra, f"oscillations at rates {', '.join(map(str, RATES))}; the claim is at {RATE}")


CLAIM = Claim(
    id="dualing-dual",
    paper="Li et al. 2017, arXiv:1706.06216",
    published="curves only: monotone for a linear D",
    what="total variation of the objective over its net change, dual over primal, full batch of ring8, SGD at the same rate (at most "
    "1/5 for every seed), and the gap between dual and primal optimum on small batches (at most 1e-4)",
    run=run,
    threshold=lambda r: r.extra["worst ratio"] <= 0.2 and r.extra["gap"] <= 1e-4,
    larger=False,
    minutes=2,
)
