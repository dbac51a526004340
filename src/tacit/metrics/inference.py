"""Inference via optimisation: how near a generator can come to a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tacit.errors import InputError
from tacit.metrics import _check
from tacit.metrics.figure import Figure, mean_figure


def ivom(
    generate: Callable[[Tensor], Tensor], x: Any, draw: Callable[[int], Tensor], *, starts: int = 4, steps: int = 200, lr: float = 0.05
) -> tuple[Figure, np.ndarray]:
    """Mean over rows of min_z mean((G(z) − x)²): 0 where every row is in the generator's reach, large where modes are missing.

    All rows and starts descend together by Adam with a rate that falls to 0 along a cosine; each start is a draw of the prior, the
    best of a row's counts. The figure is an upper bound: descent may stop short of the least.

    Args:
        generate: G, latents ``(n, d)`` → rows ``(n, *shape)``, differentiable.
        x: rows ``(m, *shape)`` in the generator's own (scaled) range.
        draw: n → latents of the prior, ``(n, d)``.
        starts: draws for each row. steps, lr: of Adam.

    Returns:
        The mean squared error, averaged over entries, with its standard error over rows; and the latents found, ``(m, d)``.

    Source: Metz et al. 2017, arXiv:1611.02163; Srivastava et al. 2017, arXiv:1705.07761.

    Raises:
        InputError: no rows, NaN, or numbers of starts or steps below 1.

    >>> import torch
    >>> a = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    >>> error, z = ivom(lambda z: z @ a, [[0.5, -1.0, 0.0]], lambda n: torch.zeros(n, 2), steps=400)
    >>> round(float(error), 4), z.round(2).tolist()
    (0.0, [[0.5, -1.0]])
    """
    rows = torch.as_tensor(_check.array(x, "x")).float()
    if starts < 1 or steps < 1 or lr <= 0:
        raise InputError(f"ivom got starts={starts}, steps={steps}, lr={lr}; expected 1 or more of both and a positive rate; raise them")
    target = rows.repeat_interleave(starts, 0)
    z = draw(len(target)).detach().clone().requires_grad_(True)
    optimiser = torch.optim.Adam([z], lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)

    def errors() -> Tensor:
        return (generate(z).float() - target).flatten(1).square().mean(1)

    best = torch.full((len(target),), torch.inf)
    found = z.detach().clone()
    with torch.enable_grad():
        for _ in range(steps + 1):
            now = errors()
            with torch.no_grad():
                better = now < best
                best, found = torch.where(better, now, best), torch.where(better[:, None], z, found)
            (z.grad,) = torch.autograd.grad(now.sum(), z)
            optimiser.step()
            schedule.step()
    least, which = best.view(-1, starts).min(1)
    chosen = found.view(len(rows), starts, -1)[torch.arange(len(rows)), which]
    return mean_figure(least.double().numpy(), 0.0), chosen.numpy()
