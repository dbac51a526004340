"""A discriminative clusterer: as much information as it can, under a restriction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from tacit.augmentations.auto import AutoAugmentation
from tacit.core.game import Defaults, Phase, Player, Round, System, Terms, Turn
from tacit.core.nets import Nets
from tacit.core.parts import Augmentation, Networks, Rule
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.networks.mlp import MLP
from tacit.rules.optimisers import Adam
from tacit.uses.shares import at_least_float32, entropy


@dataclass(frozen=True, kw_only=True)
class RIM(System):
    """Regularised information maximisation: max_W I(y; x) − R(W) = H[E_x p(y|x)] − E_x H[p(y|x)] − λ·‖W‖².

    p(y|x) = softmax D(x) ``(B, n_clusters)``, the marginal is the batch's mean, W are D's weight matrices without the biases.
    ``MLP(widths=())`` is the paper's linear model, ``FixedFeatures(fourier=…)`` one over random features of a Gaussian kernel (its
    kernel machine), other networks are deep ones. x ``(B, *shape)``.

    Beyond the paper: T is a small random change of the row, and s·E KL(p(y|x) ‖ p(y|T(x))) is minimised beside it, s =
    ``stability`` (Hu et al. 2017, arXiv:1702.08720), with b = ``balance`` before the marginal's entropy. The paper's objective is
    ``stability=0, balance=1``.

    Source: Krause et al. 2010, https://papers.nips.cc/paper/4154-discriminative-clustering-by-regularized-information-maximization.

    Args:
        n_clusters: K, the most clusters that can be used.
        networks: architecture of D.
        decay: λ.
        balance: weight of H[E_x p(y|x)]; 1 for the paper's objective.
        augment: T.
        stability: s.
        rule: how D moves.

    >>> import tacit
    >>> model = tacit.RIM(networks=tacit.networks.MLP(widths=())).fit("digits", steps=20)
    >>> model.cluster("digits").shape, model.encode("digits").shape
    ((1797,), (1797, 10))
    """

    n_clusters: int = 10
    networks: Networks = field(default_factory=lambda: MLP(widths=(512, 512)))
    decay: float = 1e-4
    augment: Augmentation = field(default_factory=AutoAugmentation)
    balance: float = 3.0
    stability: float = 1.0
    rule: Rule = field(default_factory=lambda: Adam(1e-3, (0.9, 0.999), schedule="late-linear"))

    family: ClassVar[str] = "clusters"
    paper: ClassVar[str] = (
        "Krause et al. 2010, https://papers.nips.cc/paper/4154-discriminative-clustering-by-regularized-information-maximization"
    )
    defaults: ClassVar[Defaults] = Defaults(steps=5_000, batch_size=128, ema=0.999, ema_networks=("D",))

    def validate(self) -> None:
        few(self, self.n_clusters, decay=self.decay, balance=self.balance, stability=self.stability)

    def check(self, spec: Any, n_rows: int) -> None:
        self.augment.check(spec)
        few(self, self.n_clusters, n_rows)

    @property
    def couples_batch(self) -> bool:
        return True

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        return {"D": self.networks.critic(spec, self.n_clusters)}

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        return Round(x=batch.x, t=self.augment.draw(batch.x, rng))

    def players(self) -> tuple[Player, ...]:
        return (Player("classifier", owns=("D",), loss=self.classifier),)

    def phases(self) -> tuple[Phase, ...]:
        return (Phase(Turn("classifier", self.rule)),)

    def classifier(self, n: Nets, r: Round) -> Terms:
        out = n.D(r.x)
        squares = [w.square().sum() for w in n.D.parameters() if w.dim() > 1]
        terms = sorted_rows(out, self.balance) | {"decay": self.decay * torch.stack(squares).sum()}
        if not self.stability:
            return terms
        return terms | {"stability": agreement(self.stability, out, n.D(self.augment(r.x, r.t)))}

    def encode(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return predicted(n.D(x))

    def cluster(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.D(x).argmax(1)


def predicted(logits: Tensor) -> Tensor:
    """p(y|x) ``(B, K)``, in float32 or better."""
    return at_least_float32(logits).softmax(1)


def sorted_rows(logits: Tensor, balance: float = 1.0) -> Terms:
    """E H(p) and −b·H(E p) of p = softmax of the logits ``(B, K)``: sure of each row, even over all."""
    p = predicted(logits)
    return {"certainty": entropy(p).mean(), "balance": -balance * entropy(p.mean(0))}


def agreement(weight: float, logits: Tensor, changed: Tensor) -> Tensor:
    """s·E KL(p(y|x) ‖ p(y|T(x))), which asks for the same class for a row and its change; logits of both, ``(B, K)``."""
    before, after = (at_least_float32(t).log_softmax(1) for t in (logits, changed))
    return weight * (before.exp() * (before - after)).sum(1).mean()


def few(system: System, classes: int, n_rows: int | None = None, **weights: float) -> None:
    """Refuse fewer than two classes, more of them than rows, and negative weights (``InputError``)."""
    who = type(system).__name__
    if classes < 2:
        raise InputError(f"{who} got {classes} classes; expected 2 or more; raise their number")
    if n_rows is not None and classes > n_rows:
        raise InputError(f"{who} got {classes} clusters for {n_rows} rows; expected no more clusters than rows; lower n_clusters")
    for name, value in weights.items():
        if value < 0:
            raise InputError(f"{who} got {name}={value}; expected a weight of 0 or more; 0 leaves the term out")
