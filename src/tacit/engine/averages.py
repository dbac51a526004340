"""Exponential moving averages of weights."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from tacit.core.nets import Nets


class Averages:
    """w̄ ← d·w̄ + (1 − d)·w after each step, with d = min(decay, (1 + t)/(10 + t)) so that the start is forgotten."""

    def __init__(self, nets: Nets, names: tuple[str, ...], decay: float):
        self.nets, self.names, self.decay = nets, names, decay
        self.source = [p.detach() for n in names for p in nets.modules()[n].parameters()]
        self.weights = [p.clone() for p in self.source]

    def update(self, step: int) -> None:
        d = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.weights, self.source, 1 - d)

    def state(self) -> dict[str, Tensor]:
        return {str(i): w for i, w in enumerate(self.weights)}

    def load_state(self, state: dict[str, Tensor]) -> None:
        for i, w in enumerate(self.weights):
            w.copy_(state[str(i)])

    def network(self, recalibrate: Callable[[Nets], None] | None = None) -> Nets:
        """Networks with the averaged weights; running statistics are estimated anew for these weights."""
        modules = {k: copy.deepcopy(m) if k in self.names else m for k, m in self.nets.modules().items()}
        averaged = Nets(modules, self.nets.memory)
        with torch.no_grad():
            targets: list[Tensor] = [p for n in self.names for p in modules[n].parameters()]
            torch._foreach_copy_(targets, self.weights)
        batch_norm = nn.modules.batchnorm._BatchNorm
        norms: list[nn.Module] = [m for n in self.names for m in modules[n].modules() if isinstance(m, batch_norm)]
        if norms and recalibrate:
            _recalibrate(averaged, norms, self.names, recalibrate)
        return averaged


def _recalibrate(
    nets: Nets, norms: list[nn.Module], names: tuple[str, ...], run: Callable[[Nets], None], batches: int = 50
) -> None:
    others = nets.buffers(exclude=names)
    kept = [b.clone() for b in others]
    momenta = [m.momentum for m in norms]
    for m in norms:
        m.reset_running_stats()  # type: ignore[operator]
        # Without a momentum the statistics are the plain mean over all calls, also of several calls in a batch.
        m.momentum = None  # type: ignore[assignment]
    nets.train()
    for _ in range(batches):
        run(nets)
    for m, v in zip(norms, momenta, strict=True):
        m.momentum = v
    with torch.no_grad():
        torch._foreach_copy_(others, kept) if others else None
