"""Generators added one by one, each for what the mixture misses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from tacit.core.game import Defaults, Phase, Player, Round, System, Terms, Turn, World
from tacit.core.nest import Nested
from tacit.core.nets import Nets
from tacit.core.parts import Networks, Rule
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.networks.mlp import MLP
from tacit.rules.optimisers import Adam
from tacit.systems.games.gan import GAN
from tacit.uses.boost import best_share, next_weights


@dataclass(frozen=True, kw_only=True)
class AdaGAN(System):
    """AdaGAN: P_t = (1 − β_t)·P_{t−1} + β_t·Q_t, Q_t any generative system, trained on rows weighted by what P_{t−1} misses.

    Before step t a classifier C learns data from P_{t−1}, minimising −E log σ(C(x)) − E log(1 − σ(C(x̃))), so that
    h = e^{−C} = dP_{t−1}/dP at the rows, whose weights are (1/(N·β))·(λ − (1 − β)·h)₊, λ in closed form. Q_t begins with fresh weights.
    x ``(B, *shape)``.

    Source: Tolstikhin et al. 2017, arXiv:1701.02386.

    Args:
        base: the system of every component; it must be able to sample.
        n_components: T.
        schedule: of β_t: ``uniform``, 1/t; ``constant``, ``beta``; ``best``, rows weighted with 1/t and the component then mixed
            in by the share that brings the mixture nearest to the data (Jensen–Shannon, by a second classifier).
        beta: the constant.
        networks, rule: of C.
        judging: C's updates at each step, for one of the component's.

    >>> import tacit
    >>> model = tacit.AdaGAN(base=tacit.GAN(prior=tacit.Gaussian(2)), n_components=2).fit("ring8", steps=8)
    >>> model.sample(3).shape
    (3, 2)
    """

    base: System = field(default_factory=GAN)
    n_components: int = 5
    schedule: Literal["uniform", "constant", "best"] = "uniform"
    beta: float = 0.3
    networks: Networks = field(default_factory=lambda: MLP(widths=(64, 64)))
    rule: Rule = field(default_factory=lambda: Adam(1e-3, (0.9, 0.999)))
    judging: float = 0.5

    family: ClassVar[str] = "games"
    paper: ClassVar[str] = "Tolstikhin et al. 2017, arXiv:1701.02386"
    defaults: ClassVar[Defaults] = Defaults(steps=10_000, batch_size=128)
    run_only: ClassVar[tuple[str, ...]] = ("ratio",)

    def validate(self) -> None:
        if not hasattr(self.base, "sample"):
            raise InputError(
                f"AdaGAN over {type(self.base).__name__} has no meaning, since {type(self.base).__name__} cannot sample; expected a "
                "generative system such as GAN; choose one"
            )
        if self.base.streams() != ("x",):
            raise InputError(
                f"AdaGAN over {type(self.base).__name__} has no meaning, since that learns from the streams "
                f"{', '.join(self.base.streams())} and only rows of one stream are weighted; expected a system of one; choose one"
            )
        if self.n_components < 1 or not 0 < self.beta <= 1 or self.judging <= 0:
            raise InputError(
                f"AdaGAN got n_components={self.n_components}, beta={self.beta}, judging={self.judging}; expected n_components >= 1, "
                "beta in (0, 1] and judging > 0; mend them"
            )

    @property
    def couples_batch(self) -> bool:
        return self.base.couples_batch

    def check(self, spec: Any, n_rows: int) -> None:
        self.base.check(spec, n_rows)

    @property
    def parts(self) -> list[Nested]:
        return [Nested(self.base, str(t)) for t in range(1, self.n_components + 1)]

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        return {k: m for part in self.parts for k, m in part.nets(spec).items()} | {"C": self.networks.critic(spec)}

    def memory(self, spec: Any) -> dict[str, Tensor]:
        first = torch.zeros(self.n_components).index_fill(0, torch.tensor([0]), 1.0)
        return {k: v for part in self.parts for k, v in part.memory(spec).items()} | {"shares": first}

    def players(self) -> tuple[Player, ...]:
        return (*(p for part in self.parts for p in part.players()), Player("judge", owns=("C",), loss=self.judge))

    def _part(self, player: str) -> Nested:
        return self.parts[int(player.rpartition("_")[2]) - 1]

    def judge(self, n: Nets, r: Round) -> Terms:
        return {"data": softplus(-n.C(r.x)).mean(), "mixture": softplus(n.C(r.fake)).mean()}

    def after(self, memory: dict[str, Tensor], log: dict[str, Tensor]) -> dict[str, Tensor]:
        player = next(iter(log)).partition("/")[0]
        return {} if player == "judge" else self._part(player).after(memory, log)

    def phases(self) -> tuple[Phase, ...]:
        first, *rest = self.parts
        phases = list(first.phases())
        for t, part in enumerate(rest, start=2):
            beta = self.beta if self.schedule == "constant" else 1 / t
            old = self._judged(f"mixture {t - 1}", self.sample)
            phases += [old, *part.phases(self._reweight(t, beta))]
            if self.schedule == "best":
                alone = self._judged(f"component {t}", partial(self._draw_from, part))
                phases += [alone, Phase(name=f"share {t}", enter=self._mix(t))]
        return tuple(phases)

    def _judged(self, name: str, sample: Callable[[Nets, int, Rng], Tensor]) -> Phase:
        def draw(n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
            return Round(x=batch.x, fake=sample(n, len(batch), rng))

        return Phase(Turn("judge", self.rule, draw=draw), name=name, share=self.judging)

    def _reweight(self, t: int, beta: float) -> Callable[[Nets, World], dict[str, Tensor]]:
        def enter(n: Nets, world: World) -> dict[str, Tensor]:
            ratio = (-world.map(n.C).float()).exp().clamp_max(1e12)
            world.feed.set_weights(next_weights(ratio, beta)[0])
            return {"ratio": ratio, "shares": mixed(n.memory["shares"], t, beta)}

        return enter

    def _mix(self, t: int) -> Callable[[Nets, World], dict[str, Tensor]]:
        def enter(n: Nets, world: World) -> dict[str, Tensor]:
            new = (-world.map(n.C).float()).exp().clamp_max(1e12)
            before = n.memory["shares"].clone()
            before[t - 1 :] = 0
            return {"shares": mixed(before / before.sum(), t, best_share(n.memory["ratio"], new))}

        return enter

    def sample(self, n: Nets, size: int, rng: Rng) -> Tensor:
        shares = n.memory["shares"]
        which = torch.bucketize(rng.uniform(size), (shares / shares.sum()).cumsum(0)[:-1])
        made = torch.stack([self._draw_from(p, n, size, rng) for p in self.parts[: int((shares > 0).sum())]])
        return made[which, torch.arange(size, device=made.device)]

    def _draw_from(self, part: Nested, n: Nets, size: int, rng: Rng) -> Tensor:
        return self.base.sample(part.inside(n), size, rng)  # type: ignore[attr-defined]


def mixed(shares: Tensor, t: int, beta: float) -> Tensor:
    """(1 − β)·shares, and β for component t (from 1)."""
    shares = shares * (1 - beta)
    shares[t - 1] = beta
    return shares
