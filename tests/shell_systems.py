"""A system of one's own, and small settings, for the tests of the shells."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn

import tacit
from tacit.core.game import Defaults, Phase, Player, Round, System, Terms, Turn
from tacit.core.nets import Nets
from tacit.core.parts import Rule
from tacit.core.rng import Rng
from tacit.rules import Adam


@dataclass(frozen=True, kw_only=True)
class Softmax(System):
    """Multinomial logistic regression, as a person would state a system of their own."""

    rule: Rule = field(default_factory=lambda: Adam(0.1, (0.9, 0.999)))
    defaults: ClassVar[Defaults] = Defaults(steps=60, batch_size=64)

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        return {"C": nn.Sequential(nn.Flatten(), nn.Linear(spec.dim, max(spec.n_classes, 1)))}

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        return Round(x=batch.x, y=batch.y)

    def players(self) -> tuple[Player, ...]:
        return (Player("classifier", owns=("C",), loss=self.loss),)

    def loss(self, n: Nets, r: Round) -> Terms:
        known = (r.y >= 0).float()
        each = nn.functional.cross_entropy(n.C(r.x), r.y.clamp(min=0), reduction="none")
        return {"entropy": (each * known).sum() / known.sum().clamp(min=1)}

    def phases(self) -> tuple[Phase, ...]:
        return (Phase(Turn("classifier", self.rule)),)

    def predict(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.C(x).argmax(1)


SMALL = tacit.MLP(widths=(8,), critic_act="relu")
RUN = {"steps": 3, "batch_size": 16, "device": "cpu", "precision": "float32"}
