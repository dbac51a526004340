"""A clustering as a network."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tacit.augmentations.auto import AutoAugmentation
from tacit.core.game import Defaults, Phase, Player, Round, System, Terms, Turn, World
from tacit.core.nets import Nets
from tacit.core.parts import Augmentation, Networks, Rule
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.networks.mlp import MLP
from tacit.rules.optimisers import Adam
from tacit.systems.clusters.codes import CodeSpec
from tacit.uses.rows import fences, gap, log_normalised, principal, project
from tacit.uses.shares import at_least_float32

SAMPLE_NUMBERS = 1 << 26
"""Numbers in the rows that principal components are found on, at most, or 2,000 rows."""


@dataclass(frozen=True, kw_only=True)
class Distilled(System):
    """A clustering that was found by any means, as a network that gives new rows the same clusters.

    min_Q E H((1 − s)·e_c + s/K, Q(T(f(x)))): cross-entropy to the cluster c of a row, smoothed by s, under small changes T of the row.

    f(x) is the scaled row, or, with ``components`` = p > 0, its first p principal components over the ``max_columns`` columns of largest
    variance; with ``counts`` both are taken of log(1 + 10⁴·x/Σx). x ``(B, *shape)``; Q ``(B, K)`` logits. Learns from one stream, x, whose
    labels are the clusters, 0 … K−1. ``encode`` gives the shares softmax Q; ``score`` is −log of the row's gap, its distance to the
    fifth nearest of ``anchors`` fitted rows in p (or 50) principal components, over its cluster's fence for gaps (log-gaps above
    Q₃ + 3·(Q₃ − Q₁) are far out): below 0 a row is a leftover, which belongs to no cluster.

    Source: Hinton, Vinyals & Dean 2015, arXiv:1503.02531 (a network learns another's answers); the fence is Tukey's (1977).

    Args:
        n_clusters: K.
        counts: whether rows are counts, to be divided by their total.
        components: p; 0 works on the scaled rows themselves.
        max_columns: columns that the components are taken of.
        networks: architecture of Q.
        smoothing: s.
        augment: T; of components it is relative to their mean square of 1.
        mark: whether ``cluster`` gives leftovers −1.
        anchors: fitted rows that are kept, to tell leftovers by.
        rule: how Q moves.

    >>> import numpy as np, tacit
    >>> x = tacit.data.load("moons")
    >>> model = tacit.Distilled(n_clusters=2).fit((x, x.labels), steps=20)
    >>> model.cluster([[0.0, 0.0]]).shape, model.encode("moons").shape
    ((1,), (10000, 2))
    """

    n_clusters: int = 10
    counts: bool = False
    components: int = 0
    max_columns: int = 2000
    networks: Networks = field(default_factory=lambda: MLP(widths=(512, 256), critic_act="relu"))
    smoothing: float = 0.1
    augment: Augmentation = field(default_factory=AutoAugmentation)
    mark: bool = False
    anchors: int = 4000
    rule: Rule = field(default_factory=lambda: Adam(1e-3, (0.9, 0.999), schedule="cosine"))

    family: ClassVar[str] = "clusters"
    paper: ClassVar[str] = "Hinton et al. 2015, arXiv:1503.02531"
    labelled: ClassVar[tuple[str, ...]] = ("x",)
    defaults: ClassVar[Defaults] = Defaults(steps=2_000, batch_size=256)

    def validate(self) -> None:
        if self.n_clusters < 1 or self.components < 0 or min(self.max_columns, self.anchors) < 1 or not 0 <= self.smoothing < 1:
            raise InputError(
                f"Distilled got n_clusters={self.n_clusters}, components={self.components}, max_columns={self.max_columns}, "
                f"anchors={self.anchors}, smoothing={self.smoothing}; expected 1 or more, 0 or more, 1 or more, 1 or more, "
                "and a share below 1; mend the one that is not"
            )

    @property
    def n_classes(self) -> int:
        return self.n_clusters

    @property
    def scale(self) -> str:  # type: ignore[override]
        return "none" if self.counts else "auto"

    def check(self, spec: Any, n_rows: int) -> None:
        if self.n_clusters > n_rows:
            raise InputError(
                f"Distilled got n_clusters={self.n_clusters} for {n_rows} rows; expected no more clusters than rows; lower n_clusters"
            )
        if self.components > min(n_rows, prod(spec.shape), self.max_columns):
            raise InputError(
                f"Distilled got components={self.components} for {n_rows} rows of {prod(spec.shape)} columns; expected no more than "
                "either; lower components"
            )
        if self.counts and spec.low is not None and spec.low < 0:
            raise InputError(f"Distilled got counts=True for values from {spec.low:g}; expected counts of 0 or more; leave counts out")
        if not self.components:
            self.augment.check(spec)

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        return {"Q": self.networks.encoder(CodeSpec((self.components,)) if self.components else spec, self.n_clusters)}

    def players(self) -> tuple[Player, ...]:
        return (Player("labeller", owns=("Q",), loss=self.loss),)

    def phases(self) -> tuple[Phase, ...]:
        learn = Phase(Turn("labeller", self.rule), name="learn", enter=self.look)
        return learn, Phase(name="close", enter=self.close)

    def flat(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        return log_normalised(x) if self.counts else x

    def look(self, n: Nets, world: World) -> dict[str, Tensor]:
        most = min(world.feed.n, max(2000, SAMPLE_NUMBERS // prod(world.spec.shape)))
        return principal(self.flat(world.first(most)), self.components or 50, self.max_columns, world.seed)

    def rows(self, n: Nets, x: Tensor) -> Tensor:
        """f(x)."""
        if self.components:
            return project(self.flat(x), n.memory)
        return self.flat(x).view_as(x)

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        x = self.rows(n, batch.x)
        return Round(x=x, y=batch.y, t=self.augment.draw(x, rng))

    def loss(self, n: Nets, r: Round) -> Terms:
        logits = n.Q(self.augment(r.x, r.t))
        return {"cross-entropy": cross_entropy(at_least_float32(logits), r.y, label_smoothing=self.smoothing)}

    def close(self, n: Nets, world: World) -> dict[str, Tensor]:
        near = world.map(lambda x: project(self.flat(x), n.memory))
        clusters = world.map(lambda x: n.Q(self.rows(n, x)).argmax(1))
        anchors = near[world.rng.permutation(len(near))[: self.anchors]]
        return {"anchors": anchors, "fences": fences(gap(near, anchors), clusters, self.n_clusters, 3.0).to(near.dtype)}

    def encode(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.Q(self.rows(n, x)).softmax(1)

    def score(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        far = gap(project(self.flat(x), n.memory), n.memory["anchors"])
        return (n.memory["fences"][n.Q(self.rows(n, x)).argmax(1)] / far.clamp_min(1e-12)).log()

    def cluster(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        found = n.Q(self.rows(n, x)).argmax(1)
        return torch.where(self.score(n, x, rng) < 0, -1, found) if self.mark else found
