"""Shares of a whole: what clusterers and classifiers ask of their softmax."""

from __future__ import annotations

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """bf16 to float32; float64 stays."""
    return x if x.dtype == torch.float64 else x.float()


def entropy(p: Tensor) -> Tensor:
    """−Σ p·log p over the last axis, in nats."""
    return -(p * p.clamp_min(1e-12).log()).sum(-1)
