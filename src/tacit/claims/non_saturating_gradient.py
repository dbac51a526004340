"""What a generator is told by the two forms of the original game, as its discriminator wins."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tacit.claims import Claim, Context, Result
from tacit.core.nets import Nets

STEPS = (10, 30, 60, 300)
NAMES = {"ratio": "median ratio", "saturating": "saturating gradient", "strong": "strong gradient"}


def run(context: Context) -> Result:
    """Let D win against a generator that stands still; at each stage compare the gradients of both losses at G."""
    import tacit
    from tacit.claims._known import CriticOnly, Gaussians, trained
    from tacit.core.rng import Rng

    law = Gaussians((4.0,), (0.5,), (1.0,))
    worst: dict[int, float] = {}
    seen: dict[str, dict[int, list[float]]] = {kind: {k: [] for k in STEPS} for kind in ("ratio", "saturating", "strong")}
    for seed in context.seeds:
        deviations = []
        for steps in STEPS:
            system = CriticOnly(
                prior=tacit.Gaussian(4), objective=tacit.Minimax(), critic_rule=tacit.Adam(3e-3, (0.9, 0.999)),
            )  # fmt: skip
            n = trained(law, system, seed, steps=steps, batch_size=256, n=20_000).nets.to(torch.float64)
            z = Rng(seed).normal(512, 4).double()
            deviation, size = _compare(n, z)
            deviations.append(deviation)
            for kind, v in size.items():
                seen[kind][steps].append(v)
        worst[seed] = max(deviations)
        context.say(f"seed {seed}: largest deviation {worst[seed]:.2g}, ratio {[round(seen['ratio'][k][-1], 2) for k in STEPS]}")
    extra = {f"{NAMES[kind]} after {k} updates": float(np.mean(v)) for kind, by in seen.items() for k, v in by.items()}
    return Result(worst, extra, "at G's outputs and, row by row, at all of G's weights; float64")


def _compare(n: Nets, z: Tensor) -> tuple[float, dict[str, float]]:
    """Largest relative deviation of the ratio of gradients from (1 − D)/D, at outputs and at weights; typical sizes."""
    import tacit

    saturating, strong = tacit.Minimax().generator, tacit.NonSaturating().generator
    x = n.G(z).detach().requires_grad_(True)
    logit = n.D(x)
    D = logit.detach().sigmoid()
    expected = (1 - D) / D
    a, b = (torch.autograd.grad(loss(logit), x, retain_graph=True)[0][:, 0] for loss in (saturating, strong))
    deviation = float(((b / a) / expected - 1).abs().max())
    weights = n.parameters(("G",))
    for i in range(0, len(z), 64):
        pair: list[Tensor] = []
        for loss in (saturating, strong):
            grads = torch.autograd.grad(loss(n.D(n.G(z[i : i + 1]))), weights)
            pair.append(torch.cat([g.flatten() for g in grads]))
        reached = pair[0] != 0
        deviation = max(deviation, float(((pair[1] / pair[0])[reached] / expected[i] - 1).abs().max()))
    scale = len(z)
    return deviation, {
        "ratio": float(expected.median()), "saturating": scale * float(a.abs().median()), "strong": scale * float(b.abs().median()),
    }  # fmt: skip


def holds(result: Result) -> bool:
    """The ratio is (1 − D)/D to rounding, grows with D's advantage, and ends beyond a thousand."""
    ratios = [result.extra[f"median ratio after {k} updates"] for k in STEPS]
    return max(result.values.values()) <= 1e-9 and ratios == sorted(ratios) and ratios[-1] >= 1000


CLAIM = Claim(
    id="non-saturating-gradient",
    paper="Goodfellow et al. 2014, arXiv:1406.2661",
    published="maximising log D(G(z)) has the same fixed points and much stronger gradients early in learning",
    what="largest relative deviation of the ratio of the two generator gradients from (1 - D)/D, as D wins",
    run=run,
    threshold=holds,
    larger=False,
    minutes=0.2,
)
