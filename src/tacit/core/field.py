"""The gradient field of a game: each player's gradient with respect to what it owns, and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from tacit.core.game import Player, Round, System, Terms, played
from tacit.core.nets import Nets
from tacit.core.rng import Rng

_EXACT = (torch.float32, torch.float64)

Mean = Callable[[list[Tensor]], list[Tensor]]


class Field:
    """The field v of one turn at the current weights, averaged over micro-batches and ranks.

    For players i with losses ``L_i`` and weights ``θ_i``, ``v = (∂L_1/∂θ_1, …, ∂L_k/∂θ_k)``. Calling it again after
    weights moved evaluates it there (extragradient). ``vjp(u)`` is ``Jᵀu`` with ``J = ∂v/∂θ`` (consensus, K-step rules).

    Args:
        system, nets: the game.
        players: who moves in this turn.
        rounds: micro-batches.
        mean: averages a list of tensors over ranks.
        autocast: opens the precision context, inside each call.
        weights, losses: the players' weights and the losses, where the caller has them already.
        rng: the rule's own noise, the same on every rank.
        evaluator: computes what :meth:`evaluate` does by other means (compiled).
    """

    def __init__(
        self,
        system: System,
        nets: Nets,
        players: Sequence[Player],
        rounds: Sequence[Round],
        mean: Mean = lambda ts: ts,
        autocast: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext,
        weights: Sequence[list[nn.Parameter]] | None = None,
        losses: Callable[[tuple[str, ...], Nets, Round], dict[str, Terms]] | None = None,
        rng: Rng | None = None,
        evaluator: Callable[[Field, Round], tuple[list[Tensor], dict[str, Terms]]] | None = None,
    ):
        self.system, self.nets, self.players, self.rounds = system, nets, tuple(players), rounds
        self.mean, self.autocast = mean, autocast
        self.names = tuple(p.name for p in players)
        self.weights = weights if weights is not None else [nets.parameters(p.owns) for p in players]
        self._losses = losses or played(system)
        owned = tuple({name for p in players for name in p.owns})
        self._foreign = nets.buffers(exclude=owned)
        self.watchers = tuple(p for p in self.players if p.watch)
        self.log: dict[str, Tensor] = {}
        self.rng, self.evaluator = rng, evaluator
        self._beside: dict[tuple[str, ...], Field] = {}

    def beside(self, *names: str) -> Field:
        """The field of these players of the game, at the same weights and on the same rounds; no running statistics move."""
        if names not in self._beside:
            by_name = {p.name: p for p in self.system.players()}
            players = [by_name[name] for name in names]
            other = Field(self.system, self.nets, players, [], self.mean, self.autocast, losses=self._losses, rng=self.rng)
            other._foreign, other.watchers = self.nets.buffers(), ()
            self._beside[names] = other
        other = self._beside[names]
        other.rounds, other.autocast = self.rounds, self.autocast
        return other

    @contextlib.contextmanager
    def _visiting(self) -> Iterator[None]:
        """Running statistics of networks that nobody owns here are put back afterwards."""
        if not self._foreign:
            yield
            return
        kept = [b.clone() for b in self._foreign]
        try:
            yield
        finally:
            if kept:
                with torch.no_grad():
                    torch._foreach_copy_(self._foreign, kept)

    @property
    def whole(self) -> Round:
        """The round that the micro-batches were cut from."""
        return self.rounds[0].__dict__.get("whole", self.rounds[0])

    def evaluate(
        self, r: Round, nets: Nets | None = None, weights: Sequence[Sequence[Tensor]] | None = None, create_graph: bool = False
    ) -> tuple[list[Tensor], dict[str, Terms]]:
        """Gradients (weights in order) and terms (by player) at one round, at these networks' weights.

        With ``create_graph`` the gradients are differentiable in the weights of every network.
        """
        weights = self.weights if weights is None else weights
        nets = nets or self.nets
        with self.autocast():
            terms = self._losses(self.names, nets.link() if create_graph else nets, r)
        grads: list[Tensor] = []
        for i, (player, own) in enumerate(zip(self.players, weights, strict=True)):
            total = _total(player.summed(terms[player.name]))
            last = i == len(self.names) - 1
            got = torch.autograd.grad(
                total, own, retain_graph=create_graph or not last, create_graph=create_graph, allow_unused=True
            )
            grads += [torch.zeros_like(w) if g is None else g for g, w in zip(got, own, strict=True)]
        return grads, terms

    def _gradients(self, r: Round) -> list[Tensor]:
        grads, terms = self.evaluator(self, r) if self.evaluator else self.evaluate(r)
        self._record(terms)
        if self.watchers:
            self._record(self.watch(r))
        return grads

    def watch(self, r: Round) -> dict[str, Terms]:
        """What the players watch, by player; running statistics do not move."""
        own = self.nets.buffers()
        kept = [b.clone() for b in own]
        with torch.no_grad(), self.autocast():
            seen = {p.name: p.watch(self.nets, r) for p in self.watchers if p.watch}
            torch._foreach_copy_(own, kept) if kept else None
        return seen

    def _record(self, terms: dict[str, Terms]) -> None:
        share = 1.0 / len(self.rounds)
        for name, ts in terms.items():
            for term, v in ts.items():
                key = f"{name}/{term}"
                v = v.detach() if v.dtype in _EXACT else v.detach().float()
                v = v if share == 1.0 else v * share
                self.log[key] = self.log[key] + v if key in self.log else v

    def __call__(self) -> list[Tensor]:
        """The field: one tensor for each weight, players in order, weights in order."""
        self.log = {}
        with torch.enable_grad(), self._visiting():
            total = self._gradients(self.rounds[0])
            if len(self.rounds) > 1:
                for r in self.rounds[1:]:
                    torch._foreach_add_(total, self._gradients(r))
                torch._foreach_div_(total, float(len(self.rounds)))
        return self.mean(total)

    def vjp(self, vector: Sequence[Tensor], wrt: Sequence[Tensor] | None = None) -> list[Tensor]:
        """``Jᵀ·vector``, where J is the Jacobian of the (micro-batch and rank averaged) field at the current weights.

        ``wrt`` are the weights that J is taken to, where they are not the field's own (one player's gradient by another's weights).
        """
        flat = [w for ws in self.weights for w in ws] if wrt is None else list(wrt)
        total = [torch.zeros_like(w) for w in flat]
        with torch.enable_grad(), self._visiting():
            for r in self.rounds:
                grads, _ = self.evaluate(r, create_graph=True)
                live = [(g, u) for g, u in zip(grads, vector, strict=True) if g.requires_grad]
                if not live:
                    continue
                got = torch.autograd.grad(
                    [g for g, _ in live], flat, [u.to(g.dtype) for g, u in live], allow_unused=True
                )
                torch._foreach_add_(
                    total, [torch.zeros_like(w) if g is None else g for g, w in zip(got, flat, strict=True)]
                )
        torch._foreach_div_(total, float(len(self.rounds)))
        return self.mean(total)


def _total(values: list[Tensor]) -> Tensor:
    total = values[0]
    for v in values[1:]:
        total = total + v
    return total
