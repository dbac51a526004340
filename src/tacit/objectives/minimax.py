"""The original game."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import softplus

from tacit.core.parts import Objective


@dataclass(frozen=True)
class Minimax(Objective):
    """min_G max_D V = E log D(x) + E log(1 − D(G(z))), D = σ(logit) (Goodfellow et al. 2014, arXiv:1406.2661).

    At the optimum D* = p/(p + q) and V = −log 4 + 2·JSD(p, q), in nats.
    """

    odd: ClassVar[bool] = True

    def critic(self, real: Tensor, fake: Tensor, memory: dict[str, Tensor] | None = None) -> Tensor:
        return softplus(-real).mean() + softplus(fake).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None, memory: dict[str, Tensor] | None = None) -> Tensor:
        return -softplus(fake).mean()
