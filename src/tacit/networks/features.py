"""Features that are drawn or given once, and never learnt."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from tacit.networks.layers import Centre


class RandomFourier(nn.Module):
    """φ(x) = √(2/m)·cos(Ωx + b) ``(B, m)``: φ(x)ᵀφ(y) ≈ the mean over σ of exp(−‖x − y‖²/(2σ²d)), d = numbers in a row.

    Ω has rows N(0, I/(σ²d)), an equal share for each bandwidth, b ~ U[0, 2π). Bandwidths are in units of the root mean square
    difference of two rows' entries. Source: Rahimi & Recht 2007 (Random Features for Large-Scale Kernel Machines).

    >>> from tacit.data import Spec
    >>> f = RandomFourier(Spec(shape=(2,)), 4000, (1.0,))
    >>> x, y = torch.zeros(1, 2), torch.ones(1, 2)
    >>> abs((f(x) * f(y)).sum().item() - torch.tensor(-0.5).exp().item()) < 0.1
    True
    """

    omega: Tensor
    phase: Tensor

    def __init__(self, spec: Any, features: int, bandwidths: tuple[float, ...]):
        super().__init__()
        d = prod(spec.shape)
        sigma = torch.tensor(bandwidths).repeat_interleave(-(-features // len(bandwidths)))[:features]
        self.centre = Centre(spec.bounded, flat=True)
        self.register_buffer("omega", torch.randn(d, features) / (sigma * d**0.5))
        self.register_buffer("phase", 2 * torch.pi * torch.rand(features))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cos(self.centre(x) @ self.omega + self.phase) * (2 / len(self.phase)) ** 0.5


class Rows(nn.Module):
    """The row itself, flat and centred, and a constant 1: ``(B, d + 1)``."""

    def __init__(self, spec: Any):
        super().__init__()
        self.centre = Centre(spec.bounded, flat=True)

    def forward(self, x: Tensor) -> Tensor:
        flat = self.centre(x)
        return torch.cat([flat, torch.ones_like(flat[:, :1])], 1)
