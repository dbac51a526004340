"""The game with strong early gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import softplus

from tacit.core.parts import Objective
from tacit.errors import InputError


@dataclass(frozen=True)
class NonSaturating(Objective):
    """D as in minimax; G minimises −E log D(G(z)) (Goodfellow et al. 2014, arXiv:1406.2661).

    Its gradient at each sample is the minimax generator's times (1 − D)/D.

    Args:
        smoothing: s of one-sided label smoothing: D is taught 1 − s on real rows, and 0 on generated ones, so that its best is
            (1 − s)·p/(p + q) and it is nowhere sure (Salimans et al. 2016, arXiv:1606.03498).
    """

    smoothing: float = 0.0
    odd: ClassVar[bool] = True

    def validate(self) -> None:
        if not 0 <= self.smoothing < 1:
            raise InputError(f"NonSaturating got smoothing={self.smoothing}; expected a share in [0, 1); the usual is 0.1")

    def critic(self, real: Tensor, fake: Tensor, memory: dict[str, Tensor] | None = None) -> Tensor:
        return (softplus(-real) + self.smoothing * real).mean() + softplus(fake).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None, memory: dict[str, Tensor] | None = None) -> Tensor:
        return softplus(-fake).mean()
