"""A system inside another one: its networks, players, memory and phases under a tag."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from torch import Tensor, nn

from tacit.core.game import Phase, Player, Round, System, Terms, Turn, World, played
from tacit.core.nets import Nets
from tacit.core.rng import Rng


class Nested:
    """A system as a piece of another: network ``G`` is ``G_tag`` outside, player ``critic`` is ``critic_tag``, memory ``k`` is ``k_tag``.

    The outer system puts :meth:`nets` and :meth:`memory` among its own, :meth:`players` among its players and :meth:`phases` among
    its phases, and calls :meth:`after`; the inner system knows nothing of it.

    >>> import tacit
    >>> inner = Nested(tacit.GAN(), "a")
    >>> [p.name for p in inner.players()], inner.players()[0].owns
    (['critic_a', 'generator_a'], ('D_a',))
    """

    def __init__(self, system: System, tag: str):
        self.system, self.tag = system, tag

    def name(self, inner: str) -> str:
        """What something inside is called outside."""
        return f"{inner}_{self.tag}"

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        return {self.name(k): v for k, v in self.system.nets(spec).items()}

    def memory(self, spec: Any) -> dict[str, Tensor]:
        return {self.name(k): v for k, v in self.system.memory(spec).items()}

    def inside(self, n: Nets) -> Nets:
        """The networks and the memory as the inner system knows them."""
        return n.under(self.tag)

    def players(self) -> tuple[Player, ...]:
        return tuple(self._player(p) for p in self.system.players())

    def _player(self, p: Player) -> Player:
        def loss(n: Nets, r: Round) -> Terms:
            return self._losses((p.name,), self.inside(n), self._round(r))[p.name]

        def solve(n: Nets, r: Round, mean: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
            assert p.solve is not None
            found = p.solve(self.inside(n), self._round(r), mean)
            return {f"{self.name(net)}.{w}": v for (net, _, w), v in ((k.partition("."), v) for k, v in found.items())}

        watch, project = p.watch, p.project
        if isinstance(project, Mapping):
            project = {self.name(k): v for k, v in project.items()}
        return replace(
            p, name=self.name(p.name), owns=tuple(self.name(k) for k in p.owns), loss=loss if p.loss else None,
            project=project, solve=solve if p.solve else None,
            watch=(lambda n, r: watch(self.inside(n), self._round(r))) if watch else None,
        )  # fmt: skip

    @cached_property
    def _losses(self) -> Callable[[tuple[str, ...], Nets, Round], dict[str, Terms]]:
        return played(self.system)

    def _round(self, r: Round) -> Round:
        return r.but(memory=self._own(r.memory))

    def _own(self, outer: dict[str, Tensor]) -> dict[str, Tensor]:
        return {k.removesuffix(f"_{self.tag}"): v for k, v in outer.items() if k.endswith(f"_{self.tag}")}

    def phases(self, enter: Callable[[Nets, World], dict[str, Tensor] | None] | None = None) -> tuple[Phase, ...]:
        """The inner phases; ``enter`` is the outer system's, called before the first, with the outer networks."""
        phases = tuple(self._phase(p) for p in self.system.phases())
        first, inner = phases[0], phases[0].enter
        if enter is not None:
            first.enter = lambda n, world: {**(enter(n, world) or {}), **((inner(n, world) or {}) if inner else {})}
        return phases

    def _phase(self, p: Phase) -> Phase:
        enter, plateau = p.enter, p.plateau
        if plateau is not None:
            player, _, term = plateau.term.partition("/")
            plateau = replace(plateau, term=f"{self.name(player)}/{term}")

        def entered(n: Nets, world: World) -> dict[str, Tensor]:
            assert enter is not None
            return {self.name(k): v for k, v in (enter(self.inside(n), world) or {}).items()}

        return Phase(
            *(self._turn(t) for t in p.turns), name=f"{p.name} {self.tag}", share=p.share, steps=p.steps,
            enter=entered if enter else None, plateau=plateau, batch=p.batch,
        )  # fmt: skip

    def _turn(self, t: Turn) -> Turn:
        inner, when = t.draw or self.system.draw, t.when

        def draw(n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
            return inner(self.inside(n), batch, rng, self._own(memory))

        names = tuple(self.name(k) for k in t.names)
        rules = tuple(rule.renamed(self.name) for rule in t.rules)
        return replace(
            t, players=names[0] if isinstance(t.players, str) else names, rule=rules if isinstance(t.rule, tuple) else rules[0], draw=draw,
            when=(lambda log: when(self._log(log))) if when else None,
        )  # fmt: skip

    def _log(self, log: dict[str, Any]) -> dict[str, Any]:
        return {
            f"{player.removesuffix('_' + self.tag)}/{term}": v
            for (player, _, term), v in ((k.partition("/"), v) for k, v in log.items()) if player.endswith(f"_{self.tag}")
        }  # fmt: skip

    def after(self, memory: dict[str, Tensor], log: dict[str, Tensor]) -> dict[str, Tensor]:
        """The inner system's memory updates, where one of its players moved."""
        own = self._log(log)
        return {self.name(k): v for k, v in self.system.after(self._own(memory), own).items()} if own else {}
