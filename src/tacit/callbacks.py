"""Callbacks of a fit: called at every line of the log; a true result ends the fit cleanly."""

from __future__ import annotations

from typing import Any

from tacit.errors import InputError, suggest


class EarlyStop:
    """Stop when a term has not improved by more than ``min_delta`` for ``patience`` steps.

    Args:
        term: ``player/term`` as the log names it, or ``player/loss`` for the sum of that player's terms.
        patience: steps without improvement, at least 1.
        min_delta: the least change that counts, 0 or more.
        mode: ``min`` if smaller is better, ``max`` if larger.

    Its state is kept in the checkpoints, so that a resumed run stops exactly where the other one would have.

    >>> stop = EarlyStop("vae/kl", patience=10)
    >>> [stop({"step": s, "terms": {"vae/kl": v}}) for s, v in ((5, 1.0), (10, 0.5), (15, 0.6), (20, 0.7))]
    [False, False, False, True]

    Raises:
        InputError: a patience, change or mode without a meaning; at the first reading, a term that is not there.
    """

    def __init__(self, term: str, patience: int = 1000, min_delta: float = 0.0, mode: str = "min"):
        if isinstance(patience, bool) or patience < 1 or patience != int(patience):
            raise InputError(f"early stopping got patience={patience}; expected a whole number of steps, 1 or more; raise it")
        if not min_delta >= 0:
            raise InputError(f"early stopping got min_delta={min_delta}; expected 0 or more; give the least change that counts")
        if mode not in ("min", "max"):
            raise InputError(
                f"early stopping got mode={mode!r}; expected min or max{suggest(str(mode), ('min', 'max')) or '; choose one'}"
            )
        self.term, self.patience, self.min_delta, self.mode = term, int(patience), float(min_delta), mode
        self.best: float | None = None
        self.best_step = 0

    def __call__(self, reading: dict[str, Any]) -> bool:
        value, step = self._value(reading["terms"]), int(reading["step"])
        gain = None if self.best is None else (self.best - value if self.mode == "min" else value - self.best)
        if gain is None or gain > self.min_delta:
            self.best, self.best_step = value, step
        return step - self.best_step >= self.patience

    def _value(self, terms: dict[str, float]) -> float:
        if self.term in terms:
            return terms[self.term]
        player, _, what = self.term.partition("/")
        if what == "loss":
            parts = [v for k, v in terms.items() if k.partition("/")[0] == player]
            if parts:
                return sum(parts)
        raise InputError(
            f"early stopping watches '{self.term}', which is not a term here{suggest(self.term, terms) or ';'} "
            f"expected one of: {', '.join(terms)}"
        )

    def state(self) -> dict[str, Any]:
        """Everything, so that :meth:`from_state` needs nothing else."""
        names = ("term", "patience", "min_delta", "mode", "best", "best_step")
        return {"callback": "early-stop", **{n: getattr(self, n) for n in names}}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`."""
        self.best, self.best_step = state["best"], int(state["best_step"])

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> EarlyStop:
        """The callback that :meth:`state` describes."""
        stop = cls(state["term"], state["patience"], state["min_delta"], state["mode"])
        stop.load_state(state)
        return stop
