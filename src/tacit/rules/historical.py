"""Historical averaging: weights are drawn to the mean of where they have been."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from tacit.core.field import Field
from tacit.core.parts import Rule, Stepper
from tacit.errors import InputError
from tacit.rules.around import Around
from tacit.rules.optimisers import Adam
from tacit.rules.unrolled import Unrolled


class Pulled:
    """A field with the gradient of w·‖θ − c‖² added, here and wherever the weights are moved to; c is fixed."""

    def __init__(self, field: Field, weights: list[nn.Parameter], centre: list[Tensor], weight: float):
        self._field, self._weights, self._centre, self._weight = field, weights, centre, weight

    def __call__(self) -> list[Tensor]:
        away = torch._foreach_sub(list[Tensor](self._weights), self._centre)
        return list(torch._foreach_add(self._field(), away, alpha=2 * self._weight))

    def vjp(self, vector: Sequence[Tensor], wrt: Sequence[Tensor] | None = None) -> list[Tensor]:
        own = {id(w): u for w, u in zip(self._weights, vector, strict=True)}
        to = self._weights if wrt is None else wrt
        return [g + 2 * self._weight * own[id(w)] if id(w) in own else g for g, w in zip(self._field.vjp(vector, wrt), to, strict=True)]

    def __getattr__(self, name: str) -> object:
        return getattr(self._field, name)


class HistoricalStepper(Around):
    def __init__(self, groups: Sequence[list[nn.Parameter]], rule: HistoricalAveraging):
        super().__init__(rule.inner.bind(groups))
        self.weights, self.weight = [w for g in groups for w in g], rule.weight
        self.means = [w.detach().clone() for w in self.weights]
        self.count = 1

    def step(self, field: Field) -> None:
        self.inner.step(Pulled(field, self.weights, self.means, self.weight))  # type: ignore[arg-type]
        self.count += 1
        torch._foreach_lerp_(self.means, [w.detach() for w in self.weights], 1 / self.count)

    def state(self) -> dict[str, Tensor]:
        inner = {f"inner.{k}": v for k, v in super().state().items()}
        return inner | {f"mean.{i}": m for i, m in enumerate(self.means)} | {"count": torch.tensor(self.count)}

    def load_state(self, state: dict[str, Tensor]) -> None:
        super().load_state({k.removeprefix("inner."): v for k, v in state.items() if k.startswith("inner.")})
        for i, m in enumerate(self.means):
            m.copy_(state[f"mean.{i}"])
        self.count = int(state["count"])


@dataclass(frozen=True)
class HistoricalAveraging(Rule):
    """Each player's loss with w·‖θ − (1/t) Σ_{i≤t} θ_i‖² added (Salimans et al. 2016, arXiv:1606.03498, section 3.3).

    The mean is over the weights before this update and all earlier ones, the first included, and is held fixed: the field gains
    2w(θ − mean). What ends in an orbit by gradient play comes to rest.

    Args:
        inner: the rule that moves the weights.
        weight: w.

    >>> import tacit
    >>> calm = HistoricalAveraging(tacit.Adam(1e-3), weight=0.1)
    >>> model = tacit.GAN(rule=calm, critic_rule=calm, prior=tacit.Gaussian(2)).fit("ring8", steps=5)
    >>> model.sample(2).shape
    (2, 2)
    """

    inner: Rule = field(default_factory=Adam)
    weight: float = 0.1

    def validate(self) -> None:
        if self.weight < 0:
            raise InputError(f"HistoricalAveraging got weight={self.weight}; expected 0 or more; try 0.1")
        if isinstance(self.inner, Unrolled):
            raise InputError(
                "HistoricalAveraging around Unrolled has no meaning, since that follows the opponent's steps and not the field; expected "
                "it inside; give Unrolled(inner=HistoricalAveraging(…))"
            )
        if self.inner.needs != "loss":
            raise InputError(
                f"HistoricalAveraging around {type(self.inner).__name__} has no meaning, since that solves for its weights; expected a "
                "rule that follows a gradient; take Adam or another optimiser"
            )

    @property
    def joint(self) -> bool:  # type: ignore[override]
        """As the inner rule."""
        return self.inner.joint

    def bind(self, groups: Sequence[list[nn.Parameter]]) -> Stepper:
        return HistoricalStepper(groups, self)
