"""A game over the mean and the covariance of learned features."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import methodcaller
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from tacit.core.game import Defaults, Player, Project, Round, Terms
from tacit.core.nets import Nets
from tacit.core.parts import Penalty, Prior, Rule, float32
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.networks.constrained import DUAL, NORMS, Stiefel, UnitBall, norm
from tacit.penalties.clipping import WeightClipping
from tacit.priors.gaussian import Gaussian
from tacit.rules.optimisers import RMSProp
from tacit.systems.games.adversarial import Duel

CHOICES = {"match": ("mean", "covariance", "both"), "form": ("primal", "dual"), "norm": NORMS}


@dataclass(frozen=True, kw_only=True)
class McGan(Duel):
    """min_G max_Φ IPM(x, G(z)): mean feature matching, covariance feature matching, or the sum of both.

    mean: max over ‖v‖ ≤ 1 of E⟨v, Φ(x)⟩ − E⟨v, Φ(G(z))⟩ = ‖μ(x) − μ(G)‖_*, μ = E Φ, in the dual norm; covariance: max over
    orthonormal U, V of E⟨UᵀΦ(x), VᵀΦ(x)⟩ − E⟨UᵀΦ(G(z)), VᵀΦ(G(z))⟩ = ‖Σ(x) − Σ(G)‖_k, Σ = E ΦΦᵀ, the sum of the k largest singular
    values (Ky Fan). ``primal`` learns v, U and V beside Φ: v is projected on its ball, U and V return to the Stiefel manifold
    by QR after each move. ``dual`` takes the closed forms on the batch. Φ is held bounded by the penalty, in the paper by clipping
    its weights. x ``(B, *shape)``, Φ ``(B, features)``.

    Source: Mroueh et al. 2017, arXiv:1702.08398.

    Args:
        prior: distribution of z.
        match: mean, covariance or both.
        form: primal or dual.
        features: m, the width of Φ.
        components: k, the columns of U and V, at most m. Take fewer than m: square orthonormal matrices cannot change the sign of
            their determinant on the way, and may miss the maximum by it.
        norm: of v's ball: l2, l1 or linf; the means are compared in the dual norm.

    >>> import tacit
    >>> model = tacit.McGan(match="both", components=2, prior=tacit.Gaussian(2)).fit("ring8", steps=5)
    >>> model.sample(3).shape
    (3, 2)
    """

    prior: Prior = field(default_factory=lambda: Gaussian(64))
    match: Literal["mean", "covariance", "both"] = "mean"
    form: Literal["primal", "dual"] = "primal"
    features: int = 64
    components: int = 16
    norm: Literal["l1", "l2", "linf"] = "l2"
    penalty: Penalty = field(default_factory=lambda: WeightClipping(0.01))
    rule: Rule = field(default_factory=lambda: RMSProp(5e-5))
    critic_rule: Rule = field(default_factory=lambda: RMSProp(5e-5))
    critic_steps: int = 5

    family: ClassVar[str] = "games"
    paper: ClassVar[str] = "Mroueh et al. 2017, arXiv:1702.08398"
    defaults: ClassVar[Defaults] = Defaults(steps=10_000, batch_size=64)

    def validate(self) -> None:
        super().validate()
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise InputError(f"McGan got {name}={getattr(self, name)!r}; expected one of: {', '.join(choices)}; choose one")
        if self.features < 1 or not 1 <= self.components <= self.features:
            raise InputError(
                f"McGan got features={self.features}, components={self.components}; expected features of 1 or more and components "
                "from 1 to that many, since U and V have orthonormal columns; lower components"
            )
        p = type(self.penalty).__name__
        if not self.penalty.lipschitz:
            raise InputError(
                f"McGan with the penalty {p} has no meaning, since features without a bound have moments without one; "
                "expected WeightClipping, SpectralNormalisation or GradientPenalty; choose one of them"
            )
        if self.penalty.second_order and self.form == "dual":
            raise InputError(
                f"McGan(form='dual') with the penalty {p} has no meaning, since there is no critic of single rows to take a "
                "gradient of; expected form='primal', or WeightClipping or SpectralNormalisation; change one of them"
            )

    @property
    def couples_batch(self) -> bool:
        return self.form == "dual"

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        features = self.penalty.wrap(self.networks.encoder(spec, self.features))
        made: dict[str, nn.Module] = {"G": self.networks.generator(self.prior, spec), "F": features}
        if self.form == "primal" and self.match != "covariance":
            made["v"] = UnitBall(self.features, self.norm)
        if self.form == "primal" and self.match != "mean":
            made |= {name: Stiefel(self.features, self.components) for name in "UV"}
        return made

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        return Round(x=batch.x, z=self.prior.sample(len(batch), rng), eps=rng.uniform(len(batch)))

    def players(self) -> tuple[Player, ...]:
        project: dict[str, Project] = {"F": self.penalty.project}
        if self.form == "primal":
            inside = {"mean": ("v",), "covariance": ("U", "V"), "both": ("v", "U", "V")}[self.match]
            project |= dict.fromkeys(inside, methodcaller("project"))
        critic = Player("critic", owns=tuple(project), loss=self.critic, project=project)
        return critic, Player("generator", owns=("G",), loss=self.generator)

    def witness(self, n: Nets, x: Tensor) -> Terms:
        """The parts of the primal critic's value of each row, ``(B,)``: ⟨v, Φ(x)⟩ and ⟨UᵀΦ(x), VᵀΦ(x)⟩."""
        phi = n.F(x)
        mean = {} if self.match == "covariance" else {"mean": n.v(phi)}
        return mean if self.match == "mean" else mean | {"covariance": (n.U(phi) * n.V(phi)).sum(1)}

    def distances(self, n: Nets, x: Tensor, fake: Tensor) -> Terms:
        """The dual's closed forms on two batches, scalars."""
        a, b = n.F(x), n.F(fake)
        mean = {} if self.match == "covariance" else {"mean": mean_distance(a, b, DUAL[self.norm])}
        return mean if self.match == "mean" else mean | {"covariance": covariance_distance(a, b, self.components)}

    def critic(self, n: Nets, r: Round) -> Terms:
        with n.given():
            fake = n.G(r.z)
        if self.form == "dual":
            return {k: -d for k, d in self.distances(n, r.x, fake).items()}
        real, made = self.witness(n, r.x), self.witness(n, fake)
        terms = {k: made[k].mean() - real[k].mean() for k in real}
        return terms | {"penalty": self.penalty(lambda x: _total(self.witness(n, x)), r.x, fake, r.eps, r.step)}

    def generator(self, n: Nets, r: Round) -> Terms:
        fake = n.G(r.z)
        if self.form == "dual":
            return self.distances(n, r.x, fake)
        return {k: -f.mean() for k, f in self.witness(n, fake).items()}

    def sample(self, n: Nets, size: int, rng: Rng) -> Tensor:
        return n.G(self.prior.sample(size, rng))

    def decode(self, n: Nets, z: Tensor, rng: Rng) -> Tensor:
        return n.G(z)

    def encode(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.F(x)


def _total(parts: Terms) -> Tensor:
    return torch.stack(list(parts.values())).sum(0)


@float32
def mean_distance(a: Tensor, b: Tensor, kind: str = "l2") -> Tensor:
    """‖E a − E b‖ of features ``(n, m)`` and ``(l, m)``, a scalar."""
    return norm(_exact(a).mean(0) - _exact(b).mean(0), kind)


@float32
def covariance_distance(a: Tensor, b: Tensor, k: int) -> Tensor:
    """The sum of the k largest singular values of E aaᵀ − E bbᵀ, a scalar; it is symmetric, so they are the |eigenvalues|."""
    a, b = _exact(a), _exact(b)
    # LAPACK's single-precision eigenvalues may fail to converge on nearly singular matrices.
    gap = (a.T @ a / len(a) - b.T @ b / len(b)).double()
    return torch.linalg.eigvalsh(gap).abs().topk(k).values.sum().to(a.dtype)


def _exact(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()
