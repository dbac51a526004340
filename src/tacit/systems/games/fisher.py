"""The generative game over critics of unit second moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from tacit.core.parts import Objective
from tacit.objectives.fisher import Fisher
from tacit.systems.games.gan import GAN


@dataclass(frozen=True, kw_only=True)
class FisherGAN(GAN):
    """min_G max_D E D(x) − E D(G(z)) subject to ½E D(x)² + ½E D(G(z))² = 1, by an augmented Lagrangian with dual ascent.

    x ``(B, *shape)``, z ~ prior; neither clipping nor a gradient penalty. With D = v·Φ the value is ‖Σ^(−½)(E Φ(x) − E Φ(G(z)))‖,
    Σ the mean of both second moments: whitened mean matching.

    Source: Mroueh & Sercu 2017, arXiv:1705.09675.

    >>> import tacit
    >>> model = tacit.FisherGAN(prior=tacit.Gaussian(2)).fit("ring8", steps=10)
    >>> model.sample(3).shape
    (3, 2)
    """

    objective: Objective = field(default_factory=Fisher)
    critic_steps: int = 2
    paper: ClassVar[str] = "Mroueh & Sercu 2017, arXiv:1705.09675"
