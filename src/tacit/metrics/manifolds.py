"""Precision, recall, density and coverage of generated features by nearest neighbours."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch

from tacit.errors import InputError
from tacit.metrics import _check
from tacit.metrics.figure import Figure, mean_figure


@dataclass(frozen=True)
class PRDC:
    """Precision, recall, density and coverage, see ``prdc``."""

    precision: Figure
    recall: Figure
    density: Figure
    coverage: Figure

    def __str__(self) -> str:
        return ", ".join(f"{name} {getattr(self, name)}" for name in asdict(self))


def prdc(real: Any, fake: Any, *, k: int = 5, memory_mb: float = 256) -> PRDC:
    """Fidelity (precision, density) and variety (recall, coverage) of fake features, each ideally near 1.

    With r_k(x) the distance of x to its k-th nearest other row of its own set and B(x) the ball |· − x| <
    r_k(x):

        precision = share of fake rows inside some B(real)        in [0, 1]
        recall    = share of real rows inside some B(fake)        in [0, 1]
        density   = (1/k) mean over fake rows of the number of B(real) around it   in [0, n/k]
        coverage  = share of B(real) that hold a fake row          in [0, 1]

    Args:
        real: features (n, d), n > k. fake: features (m, d), m > k.
        k: the neighbour that sets the radius (3 in Kynkäänniemi et al., 5 in Naeem et al.).
        memory_mb: distances are computed in strips of about this size; nothing grows with n·m.

    Returns:
        Four figures; standard errors are of a mean over the rows scored, the other set's balls held fixed.

    Raises:
        InputError: k or fewer rows, different widths, NaN.

    Sources: Kynkäänniemi et al. 2019, arXiv:1904.06991; Naeem et al. 2020, arXiv:2002.09797.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(200, 2))
    >>> same, far = prdc(x, x), prdc(x, x + 100)
    >>> float(same.precision), float(same.coverage), float(far.precision), float(far.recall)
    (1.0, 1.0, 0.0, 0.0)
    """
    x, y = _check.pair(real, fake, ("real", "fake"))
    k = _check.whole(k, "k", 1)
    for rows, name in ((x, "real"), (y, "fake")):
        if len(rows) <= k:
            raise InputError(
                f"{name} has {len(rows)} rows; expected more than k = {k}; give more samples or a smaller k"
            )
    _check.positive(memory_mb, "memory_mb")
    centre = x.mean(0)
    a, b = torch.from_numpy(x - centre), torch.from_numpy(y - centre)
    radius_a, radius_b = (
        neighbour_distances(a, None, k, memory_mb),
        neighbour_distances(b, None, k, memory_mb),
    )
    balls = torch.zeros(len(b), dtype=torch.float64)
    recalled = torch.zeros(len(a), dtype=torch.bool)
    covered = torch.zeros(len(a), dtype=torch.bool)
    for s in _check.strips(len(a), len(b), memory_mb / 3):
        d = torch.cdist(a[s], b)
        inside = d < radius_a[s, None]
        balls += inside.sum(0)
        covered[s] = inside.any(1)
        recalled[s] = (d < radius_b).any(1)
    return PRDC(
        precision=mean_figure((balls > 0).numpy(), 0.0, 1.0),
        recall=mean_figure(recalled.numpy(), 0.0, 1.0),
        density=mean_figure(balls.numpy() / k, 0.0),
        coverage=mean_figure(covered.numpy(), 0.0, 1.0),
    )


def neighbour_distances(
    x: torch.Tensor, y: torch.Tensor | None, k: int, memory_mb: float = 256
) -> torch.Tensor:
    """Distance of every row of x (n, d) to its k-th nearest row of y (m, d), shape (n,), in strips.

    With ``y=None`` the other rows of x are searched, a row itself left out (its equals are not).
    """
    others = x if y is None else y
    out = torch.empty(len(x), dtype=x.dtype)
    for s in _check.strips(len(x), len(others), memory_mb / 3):
        d = torch.cdist(x[s], others)
        if y is None:
            d[torch.arange(len(d)), torch.arange(s.start, s.stop)] = torch.inf
        out[s] = d.kthvalue(k, dim=1).values
    return out
