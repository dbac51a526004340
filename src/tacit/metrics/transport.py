"""Wasserstein-1 distance between samples: exact, and by a trained critic."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import wasserstein_distance
from torch import Tensor, nn
from torch.nn.utils.parametrizations import orthogonal

from tacit.errors import InputError
from tacit.metrics import _check
from tacit.metrics.figure import Figure, normal_figure


def wasserstein1(x: Any, y: Any, *, most: int = 4000) -> Figure:
    """Exact Wasserstein-1 (earth mover's) distance of two samples, ≥ 0, in the data's units, Euclidean:

        W₁ = min over couplings of E|x − y| = sup over 1-Lipschitz f of E f(x) − E f(y).

    One column: by sorting, any sizes. More: by optimal assignment, equal sizes up to ``most`` (time n³).
    In d dimensions the figure lies above the distance of the distributions by about n^(−1/d).

    Args:
        x, y: rows (n, …) and (m, …), flattened.
        most: largest n for the assignment.

    Returns:
        W₁ and the standard error from the optimal potentials, √(Var f(x)/n + Var f(y)/m) (del Barrio & Loubes
        2019, arXiv:1705.01299), which does not count the bias above.

    Raises:
        InputError: several columns with n ≠ m or n > ``most``.

    >>> float(wasserstein1([0.0, 1.0], [2.0, 3.0])), float(wasserstein1([[0.0, 0.0]] * 2, [[3.0, 4.0]] * 2))
    (2.0, 5.0)
    """
    x, y = _check.pair(x, y, ("x", "y"), 2)
    if x.shape[1] == 1:
        value = wasserstein_distance(x[:, 0], y[:, 0])
        f, g = _line_potentials(x[:, 0], y[:, 0])
    else:
        if len(x) != len(y):
            raise InputError(
                f"x has {len(x)} rows and y has {len(y)}; the exact distance expects equal numbers; leave "
                "out the surplus"
            )
        if len(x) > _check.whole(most, "most", 2):
            raise InputError(
                f"x has {len(x)} rows; the exact distance takes at most {most} (time grows with the "
                "cube); give fewer rows"
            )
        cost = cdist(x, y)
        _, to = linear_sum_assignment(cost)
        matched = cost[np.arange(len(x)), to]
        value = matched.mean()
        f = _potentials(cost, to, matched)
        g = matched - f
    se = np.sqrt(f.var(ddof=1) / len(f) + g.var(ddof=1) / len(g))
    return normal_figure(value, se, min(len(x), len(y)), low=0.0)


def wasserstein1_critic(
    x: Any,
    y: Any,
    *,
    widths: Sequence[int] = (64, 64),
    steps: int = 500,
    batch_size: int = 512,
    lr: float = 1e-2,
    held_out: float = 0.5,
    seed: int = 0,
) -> Figure:
    """Wasserstein-1 distance by a critic, for samples that ``wasserstein1`` cannot take: E f(x) − E f(y), f trained to make it
    large on one part of the rows and read on the other.

    f is a network of orthonormal layers and pairwise sorting, hence 1-Lipschitz whatever its weights: the figure is in the
    data's units and, in expectation, never above W₁. It errs low where the critic is too small or not at its best, and is free
    of the bias of about n^(−1/d) that the exact distance of samples has.

    Args:
        x, y: rows (n, …) and (m, …), flattened; at least 4 each.
        widths: hidden layers, even numbers.
        steps: updates by Adam, the learning rate falling from ``lr`` to 0 on a cosine.
        batch_size: rows of either set an update.
        held_out: share of the rows that the figure is read on, in (0, 1).
        seed: of weights, split and batches.

    Returns:
        The figure and its standard error over held-out rows, the critic held fixed.

    Source: Arjovsky et al. 2017, arXiv:1701.07875; the critic: Anil, Lucas & Grosse 2019, arXiv:1811.05381.

    >>> rng = np.random.default_rng(0)
    >>> f = wasserstein1_critic(rng.normal(size=(2000, 2)), rng.normal(size=(2000, 2)) + [3, 4], steps=100)   # truth: 5
    >>> 4.8 < float(f) < 5.2
    True
    """
    a, b = _check.pair(x, y, ("x", "y"), 4)
    if not widths or any(_check.whole(w, "widths", 2) % 2 for w in widths):
        raise InputError(f"widths is {tuple(widths)}; expected even numbers, one for each hidden layer; give e.g. (64, 64)")
    if not 0 < held_out < 1:
        raise InputError(f"held_out is {held_out}; expected a share between 0 and 1; change it")
    steps, batch_size = _check.whole(steps, "steps", 1), _check.whole(batch_size, "batch_size", 1)
    lr, rng = _check.positive(lr, "lr"), _check.torch_generator(seed)
    # one centre and one scale for all columns, so that the critic's slope is that of the data
    both = np.concatenate([a, b])
    centre = both.mean(0)
    scale = float(np.sqrt(np.square(both - centre).sum(1).mean())) or 1.0
    parts = []
    for rows in (a, b):
        z = torch.from_numpy((rows - centre) / scale).float()[torch.randperm(len(rows), generator=rng)]
        cut = min(max(2, round(held_out * len(z))), len(z) - 2)
        parts.append((z[cut:], z[:cut]))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        critic = _lipschitz([a.shape[1], *widths, 1])
    optimiser = torch.optim.Adam(critic.parameters(), lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        p, q = (fit[torch.randint(len(fit), (min(batch_size, len(fit)),), generator=rng)] for fit, _ in parts)
        optimiser.zero_grad(set_to_none=True)
        # one pass: the layers are made orthonormal anew in each
        f, g = critic(torch.cat([p, q])).split([len(p), len(q)])
        (g.mean() - f.mean()).backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        on_x, on_y = (scale * critic(test).double().numpy()[:, 0] for _, test in parts)
    se = np.sqrt(on_x.var(ddof=1) / len(on_x) + on_y.var(ddof=1) / len(on_y))
    return normal_figure(on_x.mean() - on_y.mean(), se, min(len(on_x), len(on_y)))


class _Sorted(nn.Module):
    """Neighbouring units sorted in pairs: keeps every gradient's norm."""

    def forward(self, x: Tensor) -> Tensor:
        return x.unflatten(1, (-1, 2)).sort(2).values.flatten(1)


def _lipschitz(sizes: list[int]) -> nn.Module:
    layers: list[nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [orthogonal(nn.Linear(a, b)), _Sorted()]
    return nn.Sequential(*layers[:-1])


def _line_potentials(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The optimal 1-Lipschitz potential on the line, slope sign(G − F), at x and y."""
    points = np.sort(np.concatenate([x, y]))
    f = np.searchsorted(np.sort(x), points[:-1], side="right") / len(x)
    g = np.searchsorted(np.sort(y), points[:-1], side="right") / len(y)
    potential = np.concatenate([[0.0], np.cumsum(np.sign(g - f) * np.diff(points))])
    return potential[np.searchsorted(points, x)], -potential[np.searchsorted(points, y)]


def _potentials(cost: np.ndarray, to: np.ndarray, matched: np.ndarray) -> np.ndarray:
    """Dual variables u of an optimal assignment: u_i ≤ u_k + cost[i, to[k]] − matched[k] (Bellman–Ford)."""
    edges = cost[:, to] - matched
    u = np.zeros(len(cost))
    for _ in range(len(cost)):
        new = np.minimum(u, (edges + u).min(1))
        if np.allclose(new, u, rtol=0, atol=1e-10 * (1 + matched.max())):
            break
        u = new
    return u
