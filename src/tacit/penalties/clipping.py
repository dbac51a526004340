"""Weight clipping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from tacit.core.parts import Penalty
from tacit.errors import InputError


@dataclass(frozen=True)
class WeightClipping(Penalty):
    """w ← clip(w, −c, c) after each update of the critic (Arjovsky et al. 2017, arXiv:1701.07875)."""

    c: float = 0.01
    lipschitz: ClassVar[bool] = True

    def validate(self) -> None:
        if self.c <= 0:
            raise InputError(f"WeightClipping got c={self.c}; expected a positive bound; the paper uses 0.01")

    def project(self, net: nn.Module) -> None:
        weights: list[Tensor] = [p for p in net.parameters() if p.requires_grad]
        torch._foreach_clamp_min_(weights, -self.c)
        torch._foreach_clamp_max_(weights, self.c)
