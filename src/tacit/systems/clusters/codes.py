"""Where clusters are looked for: a code space, and affinities in it that a Siamese network learns."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from tacit.augmentations.auto import AutoAugmentation
from tacit.core.game import Phase, Player, Round, System, Terms, Turn, World
from tacit.core.nets import Nets
from tacit.core.parts import Augmentation, Networks, Rule
from tacit.core.rng import Rng
from tacit.networks.mlp import MLP
from tacit.rules.optimisers import Adam
from tacit.uses.contrast import contrastive
from tacit.uses.graph import neighbours, self_tuned


def decaying() -> Adam:
    return Adam(1e-3, (0.9, 0.999), schedule="cosine", warmup=0.02)


@dataclass(frozen=True)
class CodeSpec:
    """What a network over codes sees."""

    shape: tuple[int, ...]
    kind: str = "vector"
    bounded: bool = False


@dataclass(frozen=True, kw_only=True)
class CodeSpace(System):
    """An autoencoder whose input is changed by T and whose target is not: min E‖x − R(C(T(x)))‖², code C(x) ``(B, code_dim)``."""

    abstract: ClassVar[bool] = True
    code_dim: int = 20
    code_networks: Networks = field(default_factory=lambda: MLP(widths=(500, 500, 2000), critic_act="relu"))
    code_rule: Rule = field(default_factory=decaying)
    augment: Augmentation = field(default_factory=AutoAugmentation)

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        if not self.code_dim:
            return {"C": nn.Flatten()}
        make = self.code_networks
        return {"C": make.encoder(spec, self.code_dim), "R": make.decoder(self.code_dim, spec)}

    def code_spec(self, spec: Any) -> CodeSpec:
        return CodeSpec((self.code_dim or prod(spec.shape),))

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        return Round(x=batch.x, t=self.augment.draw(batch.x, rng))

    def players(self) -> tuple[Player, ...]:
        return (Player("autoencoder", owns=("C", "R"), loss=self.reconstruction),) if self.code_dim else ()

    def reconstruction(self, n: Nets, r: Round) -> Terms:
        out = n.R(n.C(self.augment(r.x, r.t)))
        return {"reconstruction": (out.float() - r.x.float()).square().mean()}

    def phases(self) -> tuple[Phase, ...]:
        return (Phase(Turn("autoencoder", self.code_rule), name="code", share=0.6),) if self.code_dim else ()


@dataclass(frozen=True, kw_only=True)
class SiameseSpace(CodeSpace):
    """Codes, then S with E max(0, ‖S(T(x_i)) − S(x_j)‖ − m₊)² over near neighbours and E max(0, m₋ − ‖S(T(x_i)) − S(x_r)‖)² over chance."""

    abstract: ClassVar[bool] = True
    siamese_dim: int = 10
    siamese_networks: Networks = field(default_factory=lambda: MLP(widths=(1024, 1024, 512), critic_act="relu"))
    siamese_rule: Rule = field(default_factory=decaying)
    pair_neighbors: int = 3
    margins: tuple[float, float] = (0.05, 1.0)
    n_neighbors: int = 10
    scale_neighbor: int = 7

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        siamese = {"S": self.siamese_networks.encoder(self.code_spec(spec), self.siamese_dim)} if self.siamese_dim else {}
        return super().nets(spec) | siamese

    def players(self) -> tuple[Player, ...]:
        return (*super().players(), *((Player("siamese", owns=("S",), loss=self.contrast),) if self.siamese_dim else ()))

    def phases(self) -> tuple[Phase, ...]:
        turn = Turn("siamese", self.siamese_rule, draw=self.draw_pairs)
        siamese = (Phase(turn, name="siamese", share=0.15, enter=self.find_pairs),) if self.siamese_dim else ()
        return (*super().phases(), *siamese)

    def find_pairs(self, n: Nets, world: World) -> dict[str, Tensor]:
        codes = world.map(n.C)
        return {"codes": codes, "pairs": torch.from_numpy(neighbours(codes, self.pair_neighbors, world.seed)[0])}

    def draw_pairs(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        codes, pairs, size = memory["codes"], memory["pairs"], len(batch)
        near = pairs[batch.index, rng.integers(pairs.shape[1], size)]
        changed = self.augment(batch.x, self.augment.draw(batch.x, rng))
        with torch.no_grad():
            anchor = n.C(changed.to(batch.x.dtype)).to(codes.dtype)
        return Round(anchor=anchor, near=codes[near], far=codes[rng.integers(len(codes), size)])

    def contrast(self, n: Nets, r: Round) -> Terms:
        anchor, near, far = n.S(torch.cat([r.anchor, r.near, r.far])).chunk(3)
        return dict(zip(("near", "far"), contrastive(anchor, near, far, *self.margins), strict=True))

    def graph(self, n: Nets, codes: Tensor, seed: int) -> Any:
        """W over all rows, ``(n, n)`` sparse: self-tuned weights on the k-NN graph of S's outputs, or of the codes."""
        with torch.no_grad():
            points = torch.cat([n.S(c) for c in codes.split(4096)]) if self.siamese_dim else codes
        return self_tuned(*neighbours(points, self.n_neighbors, seed), self.scale_neighbor)
