"""Networks by name: weights put in their place without touching the modules, and graphs kept where they are asked for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from tacit.core import Nets


def others(module: nn.Module) -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(1)
    return {k: torch.randn(v.shape, generator=g, requires_grad=True) for k, v in module.named_parameters()}


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 3, bias=False)
        self.b = nn.ModuleList([self.a, nn.Linear(3, 3)])
        self.scale = nn.Parameter(torch.ones(()))

    def gain(self) -> Tensor:
        return self.scale.exp()

    def forward(self, x: Tensor) -> Tensor:
        return self.gain() * self.b[1](self.b[0](self.a(x)))


MODULES = [
    nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1)), Tied(), spectral_norm(nn.Linear(3, 2)),
    nn.LSTM(3, 2, batch_first=True),
]  # fmt: skip


@pytest.mark.parametrize("module", MODULES, ids=lambda m: type(m).__name__)
def test_swapped_weights_compute_as_if_they_were_loaded(module):
    n, x = Nets({"F": module, "H": nn.Linear(3, 1)}), torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    before = {k: v.clone() for k, v in module.state_dict().items()}
    values = others(module)
    ahead = n.swap(F=values | {k: v.clone() for k, v in module.named_buffers()})
    out = ahead.F(x[None] if isinstance(module, nn.LSTM) else x)
    out = out[0] if isinstance(out, tuple) else out
    grads = torch.autograd.grad(out.square().sum(), list(values.values()), allow_unused=True)
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items()), "weights or statistics moved"
    assert ahead.H is n.H and ahead.names() == n.names() and type(ahead.F) is type(module)
    want = torch.func.functional_call(
        module, values | {k: v.clone() for k, v in module.named_buffers()}, x[None] if isinstance(module, nn.LSTM) else x
    )
    want = want[0] if isinstance(want, tuple) else want
    torch.testing.assert_close(out, want)
    for g, h in zip(grads, torch.autograd.grad(want.square().sum(), list(values.values()), allow_unused=True), strict=True):
        torch.testing.assert_close(g, h)


def test_what_belongs_to_a_network_is_swapped_with_it():
    n = Nets({"F": MODULES[1]})
    values = others(n.F) | {"scale": torch.tensor(2.0)}
    assert n.swap(F=values).F.gain().item() == pytest.approx(torch.tensor(2.0).exp().item())
    assert n.F.gain().item() == pytest.approx(torch.tensor(1.0).exp().item())
    with pytest.raises(KeyError, match="no weight 'sale'; expected some of: scale"):
        n.swap(F={"sale": torch.ones(())})


def test_a_given_move_has_a_graph_only_where_the_field_is_differentiated():
    n = Nets({"G": nn.Linear(2, 2)}, {"m": torch.ones(1)})
    z = torch.ones(1, 2)
    for nets, graph in ((n, False), (n.link(), True), (n.link().swap(G=others(n.G)), True), (n.swap(G=others(n.G)), False)):
        with nets.given():
            assert nets.G(z).requires_grad == graph
        assert nets.G(z).requires_grad and nets.memory is n.memory
