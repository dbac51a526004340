"""The game with strong early gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import softplus

from tacit.core.parts import Objective


@dataclass(frozen=True)
class NonSaturating(Objective):
    """D as in minimax; G minimises −E log D(G(z)) (Goodfellow et al. 2014, arXiv:1406.2661).

    Its gradient at each sample is the minimax generator's times (1 − D)/D.
    """

    odd: ClassVar[bool] = True

    def critic(self, real: Tensor, fake: Tensor, memory: dict[str, Tensor] | None = None) -> Tensor:
        return softplus(-real).mean() + softplus(fake).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None, memory: dict[str, Tensor] | None = None) -> Tensor:
        return softplus(-fake).mean()
