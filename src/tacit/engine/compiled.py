"""Gradient fields as compiled graphs: losses and their gradients are traced together, then compiled as one."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from tacit.core.field import Field
from tacit.core.game import Round, Terms, tree_map
from tacit.core.nets import Nets

GRAPHS = 8
"""Graphs kept for one turn; a loss that asks for more changes at every step, and is not worth compiling."""


Conditions = dict[tuple[int, int], bool]
"""``(k, v) → b``: a graph serves the steps of which ``(step % k == v) is b``."""


def _refused(*args: Any) -> Any:
    raise NotImplementedError("the loss computes with the step")


class _Traced(int):
    """A number of the round while a graph is traced; what would burn its value into the graph is refused."""

    conditions: Conditions
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __floordiv__ = _refused
    __lt__ = __le__ = __gt__ = __ge__ = __index__ = __float__ = __bool__ = __mod__ = __pow__ = __neg__ = _refused  # type: ignore[assignment]
    __eq__ = __ne__ = _refused  # type: ignore[assignment]
    __hash__ = int.__hash__


class _Step(_Traced):
    """The step: ``step % k`` may be compared, and becomes a condition of the graph."""

    def __mod__(self, k: int) -> _Residue:  # type: ignore[override]
        residue = _Residue(int.__mod__(self, k))
        residue.k, residue.conditions = k, self.conditions
        return residue


class _Residue(_Traced):
    k: int

    def __eq__(self, v: object) -> bool:
        if not isinstance(v, int):
            return False
        same = int.__eq__(self, v) is True
        self.conditions[self.k, int(v)] = same
        return same

    def __ne__(self, v: object) -> bool:
        return self.__eq__(v) is False

    def __bool__(self) -> bool:  # type: ignore[override]
        return self.__eq__(0) is False

    __hash__ = int.__hash__


class Compiled:
    """Evaluates a field's gradients and terms at one round by compiled graphs; see :meth:`__call__`.

    ``torch.compile`` of networks cannot be differentiated twice. Here ``autograd.grad`` is traced down to its operations
    first (``make_fx``), so that gradient penalties compile as well and the whole field is fused. What cannot be traced
    runs uncompiled, with one warning.
    """

    def __init__(self) -> None:
        self.graphs: dict[Any, list[tuple[Conditions, Callable[..., Any], list[tuple[str, str]]]]] = {}
        self.eager: set[tuple[str, ...]] = set()

    def __call__(self, field: Field, r: Round) -> tuple[list[Tensor], dict[str, Terms]]:
        """Gradients of every weight and terms of every player, as ``Field`` computes them itself."""
        if field.names in self.eager:
            return field.evaluate(r)
        values = {k: v for k, v in r.__dict__.items() if k not in ("step", "progress", "whole")}
        progress = torch.tensor(r.progress, dtype=torch.float32)
        leaves = [*_leaves(values), progress]
        step = int(r.step)
        known = self.graphs.setdefault((field.names, _mode(field, leaves[0].device.type), _signature(values)), [])
        weights, buffers = _state(field.nets)
        try:
            fits = next((g for g in known if all((step % k == v) is b for (k, v), b in g[0].items())), None)
            if fits is None:
                if len(known) == GRAPHS:
                    raise NotImplementedError("the loss is another at every step")
                fits = self._trace(field, values, step, leaves, weights, buffers)
                known.append(fits)
            _, graph, keys = fits
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                grads, flat = graph(weights, buffers, leaves)
        except Exception as e:
            self.eager.add(field.names)
            reason = (str(e).strip() or type(e).__name__).splitlines()[0][:200]
            warnings.warn(
                f"the losses of {', '.join(field.names)} cannot be compiled ({reason}); they run uncompiled",
                RuntimeWarning, stacklevel=2,
            )  # fmt: skip
            return field.evaluate(r)
        terms: dict[str, Terms] = {name: {} for name in field.names}
        for (name, term), v in zip(keys, flat, strict=True):
            terms[name][term] = v
        return grads, terms

    def _trace(
        self, field: Field, values: dict[str, Any], step: int, leaves: list[Tensor], weights: list[Tensor], buffers: list[Tensor]
    ) -> tuple[Conditions, Callable[..., Any], list[tuple[str, str]]]:
        if dist.is_initialized() and buffers:
            raise NotImplementedError("running statistics are exchanged between ranks")
        conditions: Conditions = {}
        keys: list[tuple[str, str]] = []
        place = {id(w): i for i, w in enumerate(weights)}
        owned = [[place[id(w)] for w in group] for group in field.weights]

        def whole(weights: list[Tensor], buffers: list[Tensor], leaves: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
            counted = _Step(step)
            counted.conditions = conditions
            given = iter(leaves)
            inside = tree_map(lambda _: next(given), values)
            r = Round(**inside, step=counted, progress=next(given))
            with _replaced(field.nets, weights, buffers):
                nets = Nets(field.nets.modules(), r.memory)
                grads, terms = field.evaluate(r, nets, [[weights[i] for i in group] for group in owned])
            keys[:] = [(name, term) for name, ts in terms.items() for term in ts]
            return grads, [v.detach() for ts in terms.values() for v in ts.values()]

        kept = [b.clone() for b in buffers]
        with torch.random.fork_rng(devices=[]):
            graph = make_fx(whole)(weights, buffers, leaves)
        with torch.no_grad():
            torch._foreach_copy_(buffers, kept) if kept else None
        return conditions, torch.compile(graph, dynamic=False), keys


def _leaves(value: Any) -> list[Tensor]:
    out: list[Tensor] = []
    tree_map(lambda t: out.append(t) or t, value)  # type: ignore[func-returns-value]
    return out


def _signature(value: Any) -> Any:
    if isinstance(value, Tensor):
        return tuple(value.shape), value.dtype
    if isinstance(value, dict | Round):
        items = value if isinstance(value, dict) else value.__dict__
        return tuple((k, _signature(v)) for k, v in items.items())
    if isinstance(value, tuple | list):
        return tuple(_signature(v) for v in value)
    return repr(value)


def _mode(field: Field, device: str) -> tuple[bool, torch.dtype]:
    with field.autocast():
        return torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)


def _state(nets: Nets) -> tuple[list[Tensor], list[Tensor]]:
    """Every weight and every buffer once, in order."""
    weights: dict[int, Tensor] = {}
    buffers: dict[int, Tensor] = {}
    for m in nets.modules().values():
        weights |= {id(p): p for p in m.parameters()}
        buffers |= {id(b): b for b in m.buffers()}
    return list(weights.values()), list(buffers.values())


@contextlib.contextmanager
def _replaced(nets: Nets, weights: list[Tensor], buffers: list[Tensor]) -> Iterator[None]:
    """The modules read these tensors instead of their own, also where networks share a weight."""
    own_w, own_b = _state(nets)
    new = {id(a): b for a, b in zip([*own_w, *own_b], [*weights, *buffers], strict=True)}
    undo: list[tuple[dict[str, Any], str, Any]] = []
    for module in {id(s): s for m in nets.modules().values() for s in m.modules()}.values():
        slots: list[dict[str, Any]] = [module._parameters, module._buffers]  # type: ignore[list-item]
        for slot in slots:
            for name, value in slot.items():
                if value is not None:
                    undo.append((slot, name, value))
                    slot[name] = new[id(value)]
    try:
        yield
    finally:
        for slot, name, value in undo:
            slot[name] = value

