"""The dual of a logistic program, solved: what a linear discriminator's best weights are a sum of."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus


class Dual(NamedTuple):
    """The optimum of :func:`logistic_dual`.

    Attributes:
        weights: λ, ``(m,)``, each in [0, 1/m], in the rows' type.
        stiffness: C + λ_T, a scalar; C where the trust region does not bind.
        value: of the dual (and of the primal), float64.
        entropy: Σ H(mλ_i)/m, its part that is the multipliers' own, float64.
        steps: Newton steps that were taken.
    """

    weights: Tensor
    stiffness: Tensor
    value: Tensor
    entropy: Tensor
    steps: int


@torch.no_grad()
def logistic_dual(
    rows: Tensor, margins: Tensor | None = None, centre: Tensor | None = None, *, c: float, radius: float = math.inf,
    tolerance: float = 1e-10, limit: int = 100,
) -> Dual:  # fmt: skip
    """Solve the dual of min_s C/2·‖w + s‖² + Σ log(1 + exp(−b_i − a_iᵀs))/m, subject to ½‖s‖² ≤ Δ.

    It is max C/2·‖w‖² − ‖q‖²/(2(C + λ_T)) + Σ H(mλ_i)/m − Σ λ_i b_i − λ_T·Δ over λ_i in [0, 1/m] and λ_T ≥ 0, with q = Cw − Σ λ_i a_i
    and H(u) = −u log u − (1 − u) log(1 − u); its s is −q/(C + λ_T). For given λ, λ_T = max(0, ‖q‖/√(2Δ) − C). What is left is
    concave in λ: Newton's direction is followed in the logits of mλ, so that no step leaves the box, with halving until it rises enough.

    Args:
        rows: a_i, the signed features, ``(m, k)``: of real rows as they are, of generated ones negated.
        margins: b_i, the signed scores at w, ``(m,)``; 0 by default.
        centre: w, ``(k,)``; 0 by default.
        c: C > 0.
        radius: Δ; infinite by default.
        tolerance: largest entry of the optimality condition.
        limit: of Newton steps.

    >>> rows = torch.tensor([[1.0, 0.0], [0.0, -2.0]], dtype=torch.float64)
    >>> best = logistic_dual(rows, c=0.1)
    >>> w = best.weights @ rows / 0.1
    >>> primal = 0.05 * w.square().sum() + torch.nn.functional.softplus(-rows @ w).mean()
    >>> abs(primal - best.value).item() < 1e-9
    True
    """
    m = len(rows)
    gram = (rows @ rows.mT).double()
    b = rows.new_zeros(m).double() if margins is None else margins.double()
    pull = torch.zeros_like(b) if centre is None else c * (rows @ centre).double()
    square = b.new_zeros(()) if centre is None else c * c * centre.double().square().sum()
    edge = math.sqrt(2 * radius)
    eye = torch.eye(m, dtype=gram.dtype, device=gram.device)

    def at(v: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        lam = torch.sigmoid(v) / m
        toward = gram @ lam
        slope = toward - pull
        norm = (lam @ (toward - 2 * pull) + square).clamp_min(0).sqrt()
        bound = bool(norm > c * edge)
        stiff, cost = (norm / edge, edge * norm - c * radius) if bound else (torch.full_like(norm, c), norm.square() / (2 * c))
        # H(σ(v)) in a form that keeps its digits where σ(v) rounds to 0 or 1.
        entropy = (softplus(v) - v * torch.sigmoid(v)).mean()
        return lam, slope, norm, stiff, entropy, square / (2 * c) - cost + entropy - lam @ b

    v, steps = -b, 0
    lam, slope, norm, stiff, entropy, value = at(v)
    for steps in range(1, limit + 1):  # noqa: B007
        gap = v + b + slope / stiff
        if gap.abs().max() <= tolerance * (1 + v.abs().max()):
            break
        curve = gram / stiff
        if stiff > c:
            curve = curve - torch.outer(slope, slope) / (norm.square() * stiff)
        scale = (logsigmoid(v) + logsigmoid(-v)).mul(0.5).exp() / math.sqrt(m)
        inner = torch.linalg.solve(eye + scale[:, None] * curve * scale, scale * gap)
        direction = curve @ (scale * inner) - gap
        rise, t = scale.square() @ (direction * -gap), 1.0
        while t > 1e-8:
            found = at(v + t * direction)
            if found[-1] >= value + 1e-4 * t * rise - 1e-14 * (1 + value.abs()):
                break
            t /= 2
        v = v + t * direction
        lam, slope, norm, stiff, entropy, value = found
    return Dual(lam.to(rows.dtype), stiff.to(rows.dtype), value, entropy, steps)
