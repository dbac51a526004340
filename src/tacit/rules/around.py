"""What rules share that change the field and leave the move to another rule."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from tacit.core.field import Field
from tacit.core.game import Player, Turn
from tacit.core.parts import Rule, Stepper
from tacit.errors import InputError, suggest


class Given:
    """A field whose value is already known; everything else is the original's."""

    def __init__(self, field: Field, value: list[Tensor]):
        self._field, self._value = field, value

    def __call__(self) -> list[Tensor]:
        return self._value

    def __getattr__(self, name: str) -> object:
        return getattr(self._field, name)


class Around(Stepper):
    """A stepper around another one, which has the learning rate and the state."""

    def __init__(self, inner: Stepper):
        self.inner = inner

    def schedule(self, progress: float, scale: float) -> None:
        self.inner.schedule(progress, scale)

    def lr(self) -> float:
        return self.inner.lr()

    def state(self) -> dict[str, Tensor]:
        return self.inner.state()

    def load_state(self, state: dict[str, Tensor]) -> None:
        self.inner.load_state(state)


def plain(rule: Rule, inner: Rule) -> None:
    """Refuse an inner rule that needs the field at other weights itself: it would be given one value (``InputError``)."""
    if inner.joint:
        who, what = type(rule).__name__, type(inner).__name__
        raise InputError(
            f"{who} around {what} has no meaning, since both ask for fields of their own; expected SGD, Adam or RMSProp inside; choose one"
        )


def opposed(rule: Rule, player: str, opponent: str, turn: Turn, players: Mapping[str, Player]) -> None:
    """Refuse a turn without ``player``, and a game without a loss of ``opponent`` (``InputError``)."""
    who = type(rule).__name__
    if player not in turn.names:
        raise InputError(
            f"{who} got a turn of {', '.join(turn.names)} and player={player!r}; expected that player's turn, or one of both at once; "
            "give this rule to it"
        )
    if opponent not in players or players[opponent].loss is None:
        known = [name for name, p in players.items() if p.loss and name != player]
        raise InputError(
            f"{who} got opponent={opponent!r}, which has no loss in this game{suggest(opponent, known) or ';'} "
            f"expected one of: {', '.join(known) or 'none, since nobody else plays'}; name the opponent"
        )


def place(field: Field, player: str) -> slice:
    """Where a player's weights stand among the field's."""
    at = field.names.index(player)
    start = sum(len(g) for g in field.weights[:at])
    return slice(start, start + len(field.weights[at]))
