"""Weight decay of the discriminator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tacit.core.parts import Penalty
from tacit.errors import InputError


@dataclass(frozen=True)
class WeightDecay(Penalty):
    """λ/2·‖θ_D‖², over all weights of D, biases too: a term of D's loss, so that every rule's momentum and scaling see it.

    In the Dirac game it is R1 with γ = λ (Mescheder et al. 2018, arXiv:1801.04406).

    Args:
        weight: λ.
    """

    weight: float = 1e-4

    def validate(self) -> None:
        if self.weight < 0:
            raise InputError(f"WeightDecay got weight={self.weight}; expected 0 or more; try 1e-4")

    def __call__(
        self, net: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, eps: Tensor | None = None, step: int = 0, progress: float = 0.0
    ) -> Tensor:
        if not isinstance(net, nn.Module):
            raise InputError("WeightDecay got a discriminator of several networks; expected a single one; take another penalty")
        return 0.5 * self.weight * torch.stack([p.square().sum() for p in net.parameters()]).sum()
