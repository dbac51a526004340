"""What rules share that change the field and leave the move to another rule."""

from __future__ import annotations

from torch import Tensor

from tacit.core.field import Field
from tacit.core.parts import Stepper


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
