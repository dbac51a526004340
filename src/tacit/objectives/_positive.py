"""Positive outputs in logarithms."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus


def log_softplus(v: Tensor) -> Tensor:
    """log softplus(v), which is v far below 0, where softplus itself rounds to 0."""
    v = v if v.dtype == torch.float64 else v.float()
    return softplus(v.clamp_min(-15.0)).log().where(v > -15.0, v)
