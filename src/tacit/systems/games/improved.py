"""A generative game with the techniques that keep it from collapsing and circling."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from torch import Tensor, nn

from tacit.core.game import Player, Round, Terms
from tacit.core.nets import Nets
from tacit.core.parts import Objective
from tacit.errors import InputError
from tacit.networks.activations import activation
from tacit.networks.minibatch import Head
from tacit.objectives.non_saturating import NonSaturating
from tacit.systems.games.gan import GAN


@dataclass(frozen=True, kw_only=True)
class ImprovedGAN(GAN):
    """Any game between D and G with five techniques, each on or off: D(x) = head(f(x), o(x)), f(x) ``(B, features)``.

    Feature matching: G minimises ‖E f(x) − E f(G(z))‖² in place of the objective's side. Minibatch discrimination: D also sees
    o_b(x_i) = Σ_j exp(−‖M_ib − M_jb‖₁), M_i = T f(x_i), real and generated rows each among their own; a penalty on D's input
    gradient is then one on the batch's sum of D, as between batches p^B and q^B. One-sided label smoothing is the objective's
    ``smoothing``, historical averaging the rule ``HistoricalAveraging``, virtual batch normalisation the networks
    ``VirtualBatch``. x ``(B, *shape)``, z ~ prior.

    Source: Salimans et al. 2016, arXiv:1606.03498.

    Args:
        networks: architecture of G and of f, whose last layer is linear and then leaky.
        features: width of f(x).
        feature_matching: whether G matches features instead of winning.
        kernels: closenesses b that minibatch discrimination measures; 0 turns it off.
        kernel_dim: numbers that each compares.

    >>> import tacit
    >>> model = tacit.ImprovedGAN(prior=tacit.Gaussian(2), feature_matching=True).fit("ring8", steps=5)
    >>> model.sample(3).shape
    (3, 2)
    """

    objective: Objective = field(default_factory=lambda: NonSaturating(smoothing=0.1))
    features: int = 64
    feature_matching: bool = False
    kernels: int = 16
    kernel_dim: int = 5
    paper: ClassVar[str] = "Salimans et al. 2016, arXiv:1606.03498"

    def validate(self) -> None:
        super().validate()
        if self.features < 1 or self.kernels < 0 or self.kernel_dim < 1:
            raise InputError(
                f"ImprovedGAN got features={self.features}, kernels={self.kernels}, kernel_dim={self.kernel_dim}; expected features and "
                "kernel_dim >= 1 and kernels >= 0; mend the one that is not"
            )

    @property
    def couples_batch(self) -> bool:
        return super().couples_batch or self.kernels > 0 or self.feature_matching

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        seen = replace(spec, shape=(self.pack * spec.shape[0], *spec.shape[1:]))
        body = nn.Sequential(self.networks.encoder(seen, self.features), activation("leaky-relu"))
        critic = {"F": self.penalty.wrap(body), "D": self.penalty.wrap(Head(self.features, self.kernels, self.kernel_dim))}
        return {"G": self.networks.generator(self.prior, spec), **critic}

    def players(self) -> tuple[Player, ...]:
        return self.judge(self.critic, "F", "D"), Player("generator", owns=("G",), loss=self.generator)

    def verdict(self, n: Nets, x: Tensor) -> Tensor:
        """D's output on rows, ``(B,)``, among themselves."""
        return n.D(n.F(self.packed(x))).repeat_interleave(self.pack)

    def critic(self, n: Nets, r: Round) -> Terms:
        with n.given():
            fake = n.G(r.z)
        return self.contest(lambda x: n.D(n.F(x)), self.packed(r.x), self.packed(fake), r.but(eps=r.eps[:: self.pack]))

    def generator(self, n: Nets, r: Round) -> Terms:
        fake = n.F(self.packed(n.G(r.z)))
        if not self.feature_matching:
            return {"adversarial": self.objective.generator(n.D(fake), memory=r.memory)}
        with n.given():
            target = n.F(self.packed(r.x)).mean(0)
        return {"features": (fake.mean(0) - target).square().sum()}
