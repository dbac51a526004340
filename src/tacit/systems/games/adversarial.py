"""What every game between a critic and a generator shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from tacit.core.game import Phase, Player, Round, System, Terms, Turn, World
from tacit.core.nets import Nets
from tacit.core.parts import Networks, Objective, Penalty, Rule
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.networks.mlp import MLP
from tacit.networks.virtual import refer
from tacit.objectives.non_saturating import NonSaturating
from tacit.penalties.none import NoPenalty
from tacit.rules.optimisers import Adam


@dataclass(frozen=True, kw_only=True)
class Duel(System):
    """A critic and a generator, moved in turn or at once: fields and phases; what they are paid is the concrete system's.

    Args:
        networks: architecture of G and D.
        penalty: restriction of D.
        rule, critic_rule: how G and D move.
        critic_steps: updates of D for each update of G.
        simultaneous: G and D move at once, by gradients at the same weights and on the same rows.
        instance_noise: σ of the noise, in units of the scaled data: D sees x + σε, ε ~ N(0, I), of real and generated rows alike
            (Arjovsky & Bottou 2017, arXiv:1701.04862, section 3).
        noise_fade: share of the fit over which σ falls evenly to 0; 0 keeps it.
    """

    abstract: ClassVar[bool] = True
    sees: ClassVar[tuple[str, ...]] = ("D",)
    """Networks that are shown rows to judge, first of all their inputs; none where noise on that input would not be noise on rows."""
    judging: ClassVar[str] = "networks"
    """The field that holds the architecture of D."""
    networks: Networks = field(default_factory=lambda: MLP(widths=(128, 128)))
    penalty: Penalty = field(default_factory=NoPenalty)
    rule: Rule = field(default_factory=lambda: Adam(2e-4, (0.5, 0.999)))
    critic_rule: Rule = field(default_factory=lambda: Adam(2e-4, (0.5, 0.999)))
    critic_steps: int = 1
    simultaneous: bool = False
    instance_noise: float = 0.0
    noise_fade: float = 1.0

    def validate(self) -> None:
        who = type(self).__name__
        if self.instance_noise < 0 or not 0 <= self.noise_fade <= 1:
            raise InputError(
                f"{who} got instance_noise={self.instance_noise}, noise_fade={self.noise_fade}; expected 0 or more and a share in "
                "[0, 1]; try 0.1 and 1"
            )
        if self.instance_noise and not self.sees:
            raise InputError(
                f"{who} with instance_noise={self.instance_noise} has no meaning, since its critics do not judge a row alone; expected a "
                "game whose D sees rows, such as GAN; leave it at 0"
            )
        per_row(self.penalty, getattr(self, self.judging))
        if self.critic_steps < 1:
            raise InputError(f"{who} got critic_steps={self.critic_steps}; expected 1 or more; the usual is 1 or 5")
        if self.simultaneous and self.critic_steps > 1:
            raise InputError(
                f"{who} got simultaneous=True with critic_steps={self.critic_steps}; expected 1, since both move at once; drop either"
            )
        if self.simultaneous and self.rule != self.critic_rule and (self.rule.joint or self.critic_rule.joint):
            raise InputError(
                f"{who} got simultaneous=True with the rules {type(self.rule).__name__} and {type(self.critic_rule).__name__}, of "
                "which one moves all players together; expected the same rule twice; give rule and critic_rule the same value"
            )

    def phases(self) -> tuple[Phase, ...]:
        draw = self.draw_noise if self.instance_noise else None
        enter = self.refer if getattr(getattr(self, self.judging), "critic_norm", "none") == "virtual" else None
        if self.simultaneous:
            same = self.rule == self.critic_rule
            return (Phase(Turn(("critic", "generator"), self.rule if same else (self.critic_rule, self.rule), draw=draw), enter=enter),)
        critic = Turn("critic", self.critic_rule, times=self.critic_steps, draw=draw)
        return (Phase(critic, Turn("generator", self.rule, draw=draw), enter=enter),)

    def draw_noise(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        """A round with instance noise: one draw a row, for the real and the generated one alike."""
        r = self.draw(n, batch, rng, memory)
        return r.but(instance_noise=rng.normal(*r.x.shape))

    def view(self, n: Nets, r: Round) -> Nets:
        if not self.instance_noise:
            return n
        left = torch.as_tensor(1 - r.progress / self.noise_fade if self.noise_fade else 1.0).clamp_min(0)

        def noisy(x: Tensor) -> Tensor:
            # Packs are rows side by side, and several batches may come as one.
            u = r.instance_noise
            times = x.numel() // u.numel()
            u = u if times == 1 else u.repeat(times, *[1] * (u.dim() - 1))
            return x + self.instance_noise * left * u.reshape(x.shape)

        return n.through(**dict.fromkeys(self.sees, noisy))

    def refer(self, n: Nets, world: World) -> None:
        """Choose the rows that virtual batch normalisation in the critics refers to."""
        refer(n.modules().values(), lambda count: self.seen(world, count))

    def seen(self, world: World, count: int) -> Tensor:
        """The first ``count`` rows of training as the critics see them."""
        return world.first(count)


@dataclass(frozen=True, kw_only=True)
class Adversarial(Duel):
    """A duel over an objective: its memory, its watched terms, and the critic's side of the losses.

    Args:
        objective: what the two players are paid.
    """

    abstract: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ("logit", "value")
    """The kinds of output that this system's D has."""
    objective: Objective = field(default_factory=NonSaturating)

    def validate(self) -> None:
        compatible(type(self), self.objective, self.penalty)
        super().validate()

    @property
    def couples_batch(self) -> bool:
        return self.objective.couples_batch

    def memory(self, spec: object) -> dict[str, Tensor]:
        return self.objective.memory()

    def after(self, memory: dict[str, Tensor], log: dict[str, Tensor]) -> dict[str, Tensor]:
        new = self.objective.after(memory, log) if "critic/adversarial" in log else {}
        return new | (self.objective.after_generator(memory | new, log) if "generator/adversarial" in log else {})

    def verdict(self, n: Nets, x: Tensor) -> Tensor:
        """D's output on rows, ``(B,)``."""
        return n.D(x)

    def judge(self, loss: Callable[[Nets, Round], Terms], *owns: str) -> Player:
        """The player that owns D."""
        return Player("critic", owns=owns or ("D",), loss=loss, project=self.penalty.project, logs=self.objective.watched)

    def contest(
        self, D: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, r: Round, verdicts: tuple[Tensor, Tensor] | None = None
    ) -> Terms:
        """The critic's terms on real and fake rows, and what the objective watches; ``verdicts`` are D's on both, where they are known."""
        on_real, on_fake = verdicts or (D(real), D(fake))
        return {
            "adversarial": self.objective.critic(on_real, on_fake, r.memory),
            "penalty": self.penalty(D, real, fake, r.eps, r.step, r.progress),
            **self.objective.watch(on_real, on_fake, r.memory),
        }


def compatible(system: type[Adversarial], objective: Objective, penalty: Penalty) -> None:
    """Refuse objectives without a meaning for this system's critic or under this penalty, naming both sides.

    Raises:
        InputError: an objective over energies for a critic that gives logits, and the other way round; one over Lipschitz
            critics without a penalty that makes them so; one that sets the critic's scale beside a penalty that does.
    """
    o, p = type(objective).__name__, type(penalty).__name__
    if objective.output not in system.reads:
        raise InputError(
            f"{system.__name__} with the objective {o} has no meaning, since it reads D's output as {objective.output} and this D "
            f"gives {' or '.join(system.reads)}; expected an objective over those; "
            + ("take EBGAN, BEGAN or MAGAN for energies" if objective.output == "energy" else "take EnergyMargin or Equilibrium")
        )
    if objective.needs_lipschitz and not penalty.lipschitz:
        raise InputError(
            f"the objective {o} with the penalty {p} has no meaning, since its critic must be Lipschitz; "
            "expected GradientPenalty, WeightClipping or SpectralNormalisation; choose one of them"
        )
    if objective.sets_scale and penalty.lipschitz:
        raise InputError(
            f"the objective {o} with the penalty {p} has no meaning, since both set the scale of the critic; "
            "expected NoPenalty or GradientNorm; choose one of them"
        )
    penalty.agrees(objective)


def stateless(system: Adversarial) -> None:
    """Refuse objectives that keep a state (Fisher's λ, BEGAN's k) where there are several critics (``InputError``)."""
    if system.objective.memory():
        who, what = type(system).__name__, type(system.objective).__name__
        raise InputError(
            f"{who} with the objective {what} has no meaning, since {what}'s state belongs to one critic and {who} has several; "
            "expected an objective without state; choose another"
        )


def per_row(penalty: Penalty, networks: Networks, *fields: str) -> None:
    """Refuse batch normalisation in a critic whose penalty is taken row by row, naming both sides (``InputError``)."""
    for name in fields or ("critic_norm",):
        if penalty.second_order and getattr(networks, name, "none") == "batch":
            raise InputError(
                f"the penalty {type(penalty).__name__} with batch normalisation in the critic of {type(networks).__name__} has "
                f"no meaning, since each row's gradient would depend on the others; expected {name}='none' or 'layer'; choose one"
            )
