"""A classifier without labels: sure of what is real, unsure of what is generated, even over its classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tacit.augmentations.auto import AutoAugmentation
from tacit.core.game import Defaults, Player, Round, Terms
from tacit.core.nets import Nets
from tacit.core.parts import Augmentation, Networks, Penalty, Prior, Rule
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.networks.mlp import MLP
from tacit.priors.gaussian import Gaussian
from tacit.rules.optimisers import Adam
from tacit.systems.clusters.rim import agreement, few, predicted, sorted_rows
from tacit.systems.games.adversarial import Duel
from tacit.uses.shares import entropy


class Certainty(nn.Module):
    """−H(p(y|x)) ``(B,)`` of a classifier's logits: what penalties on a discriminator are taken of."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return -entropy(predicted(self.net(x)))


@dataclass(frozen=True, kw_only=True)
class CategoricalDuel(Duel):
    """The game of a classifier D, p(y|x) = softmax D(x), and a generator; how many classes there are is the concrete system's.

    Args:
        prior: distribution of z.
        penalty: restriction of D; gradients are those of −H(p(y|x)).
        balance: weight of the marginals' entropies; 1 for the paper's game.
        augment: T, a small random change of a row, which keeps its class; beyond the paper.
        stability: weight of E KL(p(y|x) ‖ p(y|T(x))) on real rows; 0 for the paper's game.
    """

    abstract: ClassVar[bool] = True
    networks: Networks = field(default_factory=lambda: MLP(widths=(512, 512), norm="batch"))
    prior: Prior = field(default_factory=lambda: Gaussian(64))
    augment: Augmentation = field(default_factory=AutoAugmentation)
    balance: float = 3.0
    stability: float = 1.0
    rule: Rule = field(default_factory=lambda: Adam(1e-3, (0.5, 0.9), schedule="late-linear"))
    critic_rule: Rule = field(default_factory=lambda: Adam(1e-3, (0.5, 0.9), schedule="late-linear"))

    family: ClassVar[str] = "clusters"
    paper: ClassVar[str] = "Springenberg 2016, arXiv:1511.06390"
    defaults: ClassVar[Defaults] = Defaults(steps=5_000, batch_size=128, ema=0.999, ema_networks=("G", "D"))

    def validate(self) -> None:
        super().validate()
        few(self, self.classes(), balance=self.balance, stability=self.stability)
        if type(self.penalty).agrees is not Penalty.agrees:
            who, what = type(self).__name__, type(self.penalty).__name__
            raise InputError(
                f"{who} with the penalty {what} has no meaning, since {what} weights rows by a logit of being real and {who}'s D tells "
                "classes; expected a penalty on D alone, such as GradientNorm; choose one"
            )

    def check(self, spec: Any, n_rows: int) -> None:
        self.augment.check(spec)

    @property
    def couples_batch(self) -> bool:
        return True

    def classes(self) -> int:
        """How many classes D tells."""
        raise NotImplementedError

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        D = self.penalty.wrap(self.networks.critic(spec, self.classes()))
        return {"G": self.networks.generator(self.prior, spec), "D": D}

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        x = batch.x
        return Round(x=x, z=self.prior.sample(len(x), rng), eps=rng.uniform(len(x)), t=self.augment.draw(x, rng))

    def players(self) -> tuple[Player, ...]:
        return (
            Player("critic", owns=("D",), loss=self.critic, project=self.penalty.project),
            Player("generator", owns=("G",), loss=self.generator),
        )

    def critic(self, n: Nets, r: Round) -> Terms:
        with n.given():
            fake = n.G(r.z)
        real = n.D(r.x)
        terms = {
            **sorted_rows(real, self.balance),
            "uncertainty": -entropy(predicted(n.D(fake))).mean(),
            "penalty": self.penalty(Certainty(n.D), r.x, fake, r.eps, r.step, r.progress),
        }
        if not self.stability:
            return terms
        return terms | {"stability": agreement(self.stability, real, n.D(self.augment(r.x, r.t)))}

    def generator(self, n: Nets, r: Round) -> Terms:
        return sorted_rows(n.D(n.G(r.z)), self.balance)

    def sample(self, n: Nets, size: int, rng: Rng) -> Tensor:
        return n.G(self.prior.sample(size, rng))

    def decode(self, n: Nets, z: Tensor, rng: Rng) -> Tensor:
        return n.G(z)

    def encode(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return predicted(n.D(x))


@dataclass(frozen=True, kw_only=True)
class CatGAN(CategoricalDuel):
    """Categorical GAN: a discriminator that sorts real rows into K classes, and a generator that fools it into a class.

    D: min E_x H[p(y|x)] − E_z H[p(y|G(z))] − H[E_x p(y|x)]: sure of what is real, unsure of what is generated, even over classes.
    G: min E_z H[p(y|G(z))] − H[E_z p(y|G(z))]: generated rows of which D is sure, of all classes. p(y|x) = softmax D(x)
    ``(B, n_clusters)``; marginals are means over the batch. x ``(B, *shape)``.

    Beyond the paper: T is a small random change of the row, and D also minimises s·E KL(p(y|x) ‖ p(y|T(x))), s = ``stability``
    (Hu et al. 2017, arXiv:1702.08720); both marginals' entropies have the weight ``balance``. The paper's game is
    ``stability=0, balance=1``.

    Source: Springenberg 2016, arXiv:1511.06390.

    Args:
        n_clusters: K; the paper takes 20 for ten digits.

    >>> import tacit
    >>> model = tacit.CatGAN(networks=tacit.networks.MLP(widths=(32,))).fit("digits", steps=10)
    >>> model.cluster("digits").shape, model.encode("digits").shape, model.sample(2).shape
    ((1797,), (1797, 10), (2, 8, 8))
    """

    n_clusters: int = 10

    def check(self, spec: Any, n_rows: int) -> None:
        super().check(spec, n_rows)
        few(self, self.n_clusters, n_rows)

    def classes(self) -> int:
        return self.n_clusters

    def cluster(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.D(x).argmax(1)


@dataclass(frozen=True, kw_only=True)
class SemiSupervisedCatGAN(CategoricalDuel):
    """Categorical GAN with some labels: D also minimises λ·E CE[y, p(y|x)] over labelled rows.

    D: min E_x H[p(y|x)] − E_z H[p(y|G(z))] − H[E_x p(y|x)] + λ·E_{(x,y)}[−log p(y|x)]; G as in CatGAN. Streams: x, rows without
    labels; labelled, rows with them. x ``(B, *shape)``, y ``(B,)`` from 0 to ``n_classes`` − 1.

    Beyond the paper: ``stability`` and ``balance``, as in CatGAN.

    Source: Springenberg 2016, arXiv:1511.06390.

    Args:
        n_classes: K.
        label_weight: λ.

    >>> import tacit
    >>> x, y = tacit.data.load("digits").read(0, 100), tacit.data.load("digits").labels[:100]
    >>> system = tacit.systems.SemiSupervisedCatGAN(n_classes=10, networks=tacit.networks.MLP(widths=(32,)))
    >>> system.fit({"x": "digits", "labelled": (x, y)}, steps=5).predict(x).shape
    (100,)
    """

    n_classes: int = 10
    label_weight: float = 1.0
    labelled: ClassVar[tuple[str, ...]] = ("labelled",)
    family: ClassVar[str] = "few-labels"

    def validate(self) -> None:
        super().validate()
        few(self, self.n_classes, label_weight=self.label_weight)

    def streams(self) -> tuple[str, ...]:
        return "x", "labelled"

    def classes(self) -> int:
        return self.n_classes

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        return super().draw(n, batch.x, rng, memory).but(known=batch.labelled.x, y=batch.labelled.y)

    def critic(self, n: Nets, r: Round) -> Terms:
        return super().critic(n, r) | {"labelled": self.label_weight * cross_entropy(n.D(r.known), r.y)}

    def predict(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.D(x).argmax(1)
