"""Two distributions over a few points, and the discriminator that is best for an objective there."""

from __future__ import annotations

import torch
from torch import Tensor

import tacit

# Two distributions over 12 points with counts as probabilities: a batch holds every point as often as it is likely.
P = torch.tensor([8, 1, 3, 2, 6, 1, 1, 5, 2, 4, 1, 6])
Q = torch.tensor([1, 4, 3, 6, 2, 2, 7, 1, 5, 4, 4, 1])
N = int(P.sum())
p, q = P.double() / N, Q.double() / N
REAL, FAKE = torch.repeat_interleave(torch.arange(12), P), torch.repeat_interleave(torch.arange(12), Q)


def best(objective: tacit.core.Objective, start: float = 0.0) -> Tensor:
    """The discriminator's outputs at the 12 points, by direct optimisation."""
    assert int(Q.sum()) == N
    d = torch.full((12,), start, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([d], max_iter=500, tolerance_grad=1e-12, tolerance_change=1e-15, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = objective.critic(d[REAL], d[FAKE], {})
        loss.backward()
        return loss

    optimiser.step(closure)
    return d.detach()
