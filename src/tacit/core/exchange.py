"""Sums over ranks that gradients pass through."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        # A view would let the exchange write into what the graph has kept.
        out = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(out)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]
        return sum_over_ranks(grad)


def sum_over_ranks(x: Tensor) -> Tensor:
    """Σ_r x_r on every rank, for ``x`` of the same shape on all of them.

    The losses of all ranks are one objective, so ∂(Σ_r L_r)/∂x_r = Σ_s ∂L_s/∂(Σ x): the backward pass is the same sum,
    and therefore differentiable again. It asks for the group at each call and keeps none: a group that anything holds
    on to is not closed by ``destroy_process_group``, and its threads then meet the end of the interpreter.
    """
    return _Sum.apply(x)  # type: ignore[no-any-return, no-untyped-call]
