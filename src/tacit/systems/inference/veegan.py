"""A generator that must leave its latent readable."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from tacit.core.game import Player, Round, Terms
from tacit.core.nets import Nets
from tacit.core.parts import Objective
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.networks.joint import pair
from tacit.objectives.log_ratio import LogRatio
from tacit.systems.inference.ali import ALI


@dataclass(frozen=True, kw_only=True)
class VEEGAN(ALI):
    """VEEGAN: min_{G,F} KL(q(x|z)p(z) ‖ p(z|x)p(x)) + λ·E‖z − F(G(z))‖², the ratio from a discriminator of pairs.

    The reconstructor F maps both data and samples to the prior: where G drops a mode, F sends its rows where no z lies, and D
    sees it. D minimises −E log σ(D(x, F(x))) − E log(1 − σ(D(G(z), z))); G minimises −E D(G(z), z) and the reconstruction, F the
    reconstruction alone, of z and never of x (sum over z, mean over the batch). x ``(B, *shape)``, z ``(B, d)``.

    Source: Srivastava et al. 2017, arXiv:1705.07761.

    Args:
        objective: what G is paid for pairs; ``LogRatio`` is the paper's.
        reconstruction: λ.

    >>> import tacit
    >>> model = tacit.VEEGAN(prior=tacit.Gaussian(2)).fit("ring8", steps=5)
    >>> model.reconstruct("ring8")[:3].shape
    (3, 2)
    """

    objective: Objective = field(default_factory=LogRatio)
    stochastic: bool = False
    reconstruction: float = 1.0
    paper: ClassVar[str] = "Srivastava et al. 2017, arXiv:1705.07761"

    def validate(self) -> None:
        super().validate()
        if self.reconstruction <= 0:
            raise InputError(f"VEEGAN got reconstruction={self.reconstruction}; expected more than 0; the paper uses 1")

    def players(self) -> tuple[Player, ...]:
        return self.judge(self.critic), Player("generator", owns=("G", "E"), loss=self.generator)

    def generator(self, n: Nets, r: Round) -> Terms:
        fake, z = n.G(r.z), self.prior.join(r.z)
        return {
            "adversarial": self.objective.generator(n.D(pair(fake, z)), memory=r.memory),
            "reconstruction": self.reconstruction * (self.infer(n, fake) - z).square().sum(1).mean(),
        }

    def score(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return self.verdict(n, x)
