"""Kernel discrepancies between batches, differentiable in both."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tacit.core.parts import float32


@float32
def mmd2(x: Tensor, y: Tensor, bandwidths: Sequence[float], unbiased: bool = False) -> Tensor:
    """MMD² = E k(x, x') + E k(y, y') − 2 E k(x, y), k(a, b) = mean_σ exp(−‖a − b‖²/(2σ²)), a scalar in [0, 2].

    Args:
        x, y: rows ``(n, …)`` and ``(m, …)``, flattened; computed in float32 or better.
        bandwidths: the σ.
        unbiased: leave out the pairs of a row with itself; the value may then fall below 0.

    Source: Gretton et al. 2012 (JMLR 13), lemma 6; several kernels: Li et al. 2015, arXiv:1502.02761.
    """
    x, y = (t.flatten(1) if t.dtype == torch.float64 else t.flatten(1).float() for t in (x, y))
    both = torch.cat([x, y])
    squares = both.square().sum(1)
    distances = (squares[:, None] + squares - 2 * both @ both.T).clamp_min(0)
    k = torch.stack([(distances / (-2 * s * s)).exp() for s in bandwidths]).mean(0)
    n, m = len(x), len(y)
    xx, yy, xy = k[:n, :n], k[n:, n:], k[:n, n:]
    if unbiased:
        return (xx.sum() - xx.trace()) / (n * (n - 1)) + (yy.sum() - yy.trace()) / (m * (m - 1)) - 2 * xy.mean()
    return xx.mean() + yy.mean() - 2 * xy.mean()
