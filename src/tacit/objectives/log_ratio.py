"""The log density ratio itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import softplus

from tacit.core.parts import Objective


@dataclass(frozen=True)
class LogRatio(Objective):
    """D as in minimax; G minimises −E D(G(z)), D the logit (Sønderby et al. 2017, arXiv:1610.04490).

    With D at its optimum, log(p/q), that is KL(q ‖ p) in nats, q the generator: neither end of it saturates.
    """

    odd: ClassVar[bool] = True

    def critic(self, real: Tensor, fake: Tensor, memory: dict[str, Tensor] | None = None) -> Tensor:
        return softplus(-real).mean() + softplus(fake).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None, memory: dict[str, Tensor] | None = None) -> Tensor:
        return -fake.mean()
