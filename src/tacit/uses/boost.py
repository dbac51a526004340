"""Additive mixtures: how rows are weighted for the next component, and how much of the mixture it becomes."""

from __future__ import annotations

import torch
from torch import Tensor

from tacit.errors import InputError


def next_weights(ratio: Tensor, beta: float, p: Tensor | None = None) -> tuple[Tensor, float]:
    """Row weights of the best next component Q of (1 − β)·P_g + β·Q, for any f-divergence to the data.

    w_i = (p_i/β)·(λ − (1 − β)·h_i)₊ with h_i = dP_g/dP at row i and the one λ for which Σ w_i = 1, found in closed form after
    sorting: λ = (β/Σ_{i≤I} p_i)·(1 + ((1 − β)/β)·Σ_{i≤I} p_i·h_i) for the smallest I that leaves (1 − β)·h_{I+1} ≥ λ
    (Tolstikhin et al. 2017, arXiv:1701.02386, theorem 1 and algorithm 2).

    Args:
        ratio: h, ``(N,)``, not negative.
        beta: β in (0, 1].
        p: the data's mass at each row, ``(N,)``; equal if not given.

    Returns:
        w ``(N,)``, float64, and λ.

    Raises:
        InputError: β outside (0, 1], or ratios that are negative or not finite.
    """
    h = ratio.detach().double().flatten()
    if not 0 < beta <= 1 or not len(h) or not bool(torch.isfinite(h).all()) or bool((h < 0).any()):
        raise InputError(f"next_weights got beta={beta} and {len(h)} ratios; expected beta in (0, 1] and finite ratios >= 0; mend them")
    mass = torch.full_like(h, 1 / len(h)) if p is None else p.double().flatten()
    order = h.argsort()
    sorted_h, m = h[order], mass[order]
    covered = m.cumsum(0)
    lam = (beta + (1 - beta) * (m * sorted_h).cumsum(0)) / covered.clamp_min(1e-300)
    following = torch.cat([(1 - beta) * sorted_h[1:], h.new_full((1,), torch.inf)])
    first = int((following >= lam).nonzero()[0])
    level = float(lam[first])
    return mass / beta * (level - (1 - beta) * h).clamp_min(0), level


def best_share(old: Tensor, new: Tensor) -> float:
    """β in [0, 1] at which (1 − β)·P_g + β·Q has the least Jensen–Shannon divergence to the data.

    Both ``old`` = dP_g/dP and ``new`` = dQ/dP are known at the data's rows, ``(N,)``; the divergence is convex in β.
    """
    from scipy.optimize import minimize_scalar

    a, b = old.detach().double().flatten(), new.detach().double().flatten()

    def js(beta: float) -> float:
        u = (1 - beta) * a + beta * b
        return float((torch.xlogy(u, u) - (1 + u) * torch.log((1 + u) / 2)).mean())

    return float(minimize_scalar(js, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-4}).x)
