"""The networks of a game, by name; weights can be substituted without touching the modules."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn


class Nets:
    """Attribute access to named networks, with their memory beside them.

    ``n.G(z)`` runs network G. ``n.swap(D=weights)`` is the same set of networks with D's parameters
    replaced by the tensors given (name → tensor), differentiable through them (Unrolled GAN, meta-learning).

    >>> n = Nets({"F": nn.Linear(2, 1)})
    >>> zero = {k: torch.zeros_like(v) for k, v in n.F.named_parameters()}
    >>> n.swap(F=zero).F(torch.ones(1, 2)).item()
    0.0
    """

    def __init__(
        self,
        modules: Mapping[str, nn.Module],
        memory: dict[str, Tensor] | None = None,
        linked: bool = False,
    ):
        self._modules = dict(modules)
        self.memory = memory if memory is not None else {}
        self.linked = linked

    def __getattr__(self, name: str) -> Any:
        modules: dict[str, nn.Module] = self.__dict__.get("_modules", {})
        if name not in modules:
            raise AttributeError(f"there is no network '{name}'; expected one of: {', '.join(modules)}")
        return modules[name]

    def __contains__(self, name: str) -> bool:
        return name in self._modules

    def names(self) -> list[str]:
        return list(self._modules)

    def modules(self) -> dict[str, nn.Module]:
        return self._modules

    def swap(self, **weights: Mapping[str, Tensor]) -> Nets:
        """The same networks, some with other weights, and other buffers where those are named too."""
        return Nets({**self._modules, **{k: _with(self._modules[k], v) for k, v in weights.items()}}, self.memory, self.linked)

    def link(self) -> Nets:
        """The same networks for a field that is itself differentiated: each loss keeps its graph to every network."""
        return self if self.linked else Nets(self._modules, self.memory, linked=True)

    def given(self) -> contextlib.AbstractContextManager[object]:
        """Inside, what other players' networks put out is a given move, for which no graph is kept.

        A player's gradient goes to its own weights alone, so that the graph would only cost memory. Where the field itself is
        differentiated (consensus, unrolling, its Jacobian) the graph is what is asked for, and is kept.
        """
        return contextlib.nullcontext() if self.linked else torch.no_grad()

    def through(self, **changes: Callable[[Tensor], Tensor]) -> Nets:
        """The same networks, some of which see their first input changed."""
        return Nets({**self._modules, **{k: _Through(self._modules[k], v) for k, v in changes.items()}}, self.memory, self.linked)

    def under(self, tag: str) -> Nets:
        """The networks and the memory whose names end in ``_tag``, without it: a system inside another one."""
        end = f"_{tag}"

        def own(named: Mapping[str, Any]) -> dict[str, Any]:
            return {k.removesuffix(end): v for k, v in named.items() if k.endswith(end)}

        return Nets(own(self._modules), own(self.memory), self.linked)

    def parameters(self, names: tuple[str, ...] | None = None) -> list[nn.Parameter]:
        """Trainable weights of the named networks (all by default), each once, in order."""
        seen: dict[int, nn.Parameter] = {}
        for name in names if names is not None else self._modules:
            for p in self._modules[name].parameters():
                if p.requires_grad:
                    seen.setdefault(id(p), p)
        return list(seen.values())

    def buffers(self, exclude: tuple[str, ...] = ()) -> list[Tensor]:
        """Buffers (running statistics) of every network not in ``exclude``."""
        return [b for name, m in self._modules.items() if name not in exclude for b in m.buffers()]

    def state(self) -> dict[str, Tensor]:
        """All weights and buffers as ``network.parameter`` → tensor, detached."""
        return {f"{n}.{k}": v.detach() for n, m in self._modules.items() for k, v in m.state_dict().items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        for name, m in self._modules.items():
            own = {k[len(name) + 1 :]: v for k, v in state.items() if k.startswith(name + ".")}
            m.load_state_dict(own)

    def train(self, mode: bool = True) -> Nets:
        for m in self._modules.values():
            m.train(mode)
        return self

    def to(self, *args: Any) -> Nets:
        for m in self._modules.values():
            m.to(*args)
        self.memory.update({k: v.to(*args) for k, v in self.memory.items()})
        return self


class _Through(nn.Module):
    def __init__(self, net: nn.Module, change: Callable[[Tensor], Tensor]):
        super().__init__()
        self.net, self.change = net, change

    def forward(self, x: Tensor, *more: Any) -> Any:
        return self.net(self.change(x), *more)


def _with(module: nn.Module, values: Mapping[str, Tensor]) -> nn.Module:
    """A copy that shares everything with ``module`` but the parameters and buffers named."""
    own = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    unknown = sorted(set(values) - set(own))
    if unknown:
        raise KeyError(f"the network has no weight '{unknown[0]}'; expected some of: {', '.join(own)}")
    return _copy(module, {id(own[k]): v for k, v in values.items()}, {})


def _copy(module: nn.Module, new: Mapping[int, Tensor], made: dict[int, nn.Module]) -> nn.Module:
    if id(module) not in made:
        made[id(module)] = clone = type(module).__new__(type(module))
        clone.__dict__.update(module.__dict__)
        for slot in ("_parameters", "_buffers"):
            setattr(clone, slot, {k: new.get(id(v), v) for k, v in getattr(module, slot).items()})
        clone._modules = {k: m if m is None else _copy(m, new, made) for k, m in module._modules.items()}
        if isinstance(clone, nn.RNNBase):
            # It keeps a list of its weights beside them.
            clone._flat_weights = [getattr(clone, k) for k in clone._flat_weights_names]
    return made[id(module)]
