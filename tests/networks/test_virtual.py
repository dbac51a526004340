"""Virtual batch normalisation against its formula; a row's output depends on no other row."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import tacit
from tacit.core import Rng
from tacit.data import Spec
from tacit.networks import DCGAN, MLP, ResNet, VirtualBatch
from tacit.networks.layers import BatchNorm
from tacit.networks.virtual import VirtualBatchNorm, refer

R, B = 5, 3
IMAGE = Spec(shape=(1, 8, 8), kind="image", bounded=True)


@pytest.mark.parametrize("shape", [(4,), (4, 3), (4, 3, 2)])
def test_each_row_is_normalised_with_the_reference_and_itself(shape):
    g = torch.Generator().manual_seed(0)
    h = 2 + 3 * torch.randn(R + B, *shape, generator=g, dtype=torch.float64)
    norm = BatchNorm(4).double()
    with torch.no_grad():
        norm.weight.copy_(torch.rand(4, generator=g)), norm.bias.copy_(torch.randn(4, generator=g))
    layer = VirtualBatchNorm(norm, R)

    def brute(x: Tensor, among: Tensor) -> Tensor:
        columns = among.transpose(0, 1).flatten(1)
        m, v = columns.mean(1), columns.var(1, unbiased=False)
        to = [4, *[1] * (len(shape) - 1)]
        return (x - m.view(to)) / (v.view(to) + norm.eps).sqrt() * norm.weight.view(to) + norm.bias.view(to)

    got = layer(h)
    torch.testing.assert_close(got[:R], torch.stack([brute(x, h[:R]) for x in h[:R]]), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(got[:R], norm.train()(h[:R]), rtol=1e-10, atol=1e-12)
    for i in range(R, R + B):
        torch.testing.assert_close(got[i], brute(h[i], torch.cat([h[:R], h[i : i + 1]])), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(got.float(), layer(h.float()), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("inner", [MLP((8,), "batch", "batch"), DCGAN(4, 6, "batch", "batch"), ResNet(4, "batch", "batch")], ids=repr)
def test_a_row_depends_on_no_other_row(inner):
    networks, prior = VirtualBatch(inner, reference=R), tacit.OneHotGaussian(3, 2)
    torch.manual_seed(0)
    G, D, E = networks.generator(prior, IMAGE), networks.critic(IMAGE), networks.encoder(IMAGE, 6)
    x = torch.rand(B, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    refer([D, E], lambda count: torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(2)))
    z = prior.sample(B, Rng(0))
    for net, given in ((G, prior.join(z)), (D, x), (E, x)):
        assert any(isinstance(m, VirtualBatchNorm) for m in net.modules()) and not any(isinstance(m, BatchNorm) for m in net.modules())
        whole = net.train()(given)
        assert len(whole) == B
        torch.testing.assert_close(torch.cat([net(row[None]) for row in given]), whole, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(net.eval()(given), whole)
    torch.testing.assert_close(G(z), G(prior.join(z)))
    jacobian = torch.autograd.functional.jacobian(lambda t: D(t), x).flatten(2).abs().sum(2)
    assert (jacobian.diagonal() > 0).all() and torch.equal(jacobian, jacobian.diagonal().diag()), "each verdict moves by its own row"


def test_the_reference_is_chosen_once_saved_and_loaded():
    networks = VirtualBatch(MLP((8,), "none", "batch"), reference=R)
    spec = Spec(shape=(6,))
    D, again = networks.critic(spec), networks.critic(spec)
    with pytest.raises(tacit.InputError, match=r"VirtualBatch in a critic got no reference rows.*; expected .*; give inner.critic_norm"):
        D(torch.zeros(2, 6))
    refer([D], lambda count: torch.arange(6.0 * count).view(count, 6))
    refer([D], lambda count: torch.zeros(count, 6))
    assert torch.equal(D.reference, torch.arange(6.0 * R).view(R, 6)), "the first choice stays"
    again.load_state_dict(D.state_dict())
    x = torch.randn(2, 6)
    torch.testing.assert_close(again(x), D(x))
    assert type(networks.generator(tacit.Gaussian(2), spec)).__name__ == "Joined", "the generator is as the inner networks make it"


def test_what_has_no_meaning_is_refused():
    with pytest.raises(tacit.InputError, match=r"VirtualBatch around MLP .* no batch normalisation.*; expected .*; set one"):
        VirtualBatch(MLP())
    with pytest.raises(tacit.InputError, match=r"reference=1; expected 2"):
        VirtualBatch(MLP(norm="batch"), reference=1)
    with pytest.raises(tacit.InputError, match=r"VirtualBatch in a decoder .*; expected a generator over a prior; give inner.norm"):
        VirtualBatch(MLP(norm="batch")).decoder(3, Spec(shape=(6,)))
    assert VirtualBatch(MLP(critic_norm="batch")).decoder(3, Spec(shape=(6,)))(torch.zeros(2, 3)).shape == (2, 6)
    with pytest.raises(tacit.InputError, match="use networks=MLP"):
        VirtualBatch(DCGAN()).check(Spec(shape=(6,)))
    assert (VirtualBatch(MLP(norm="batch", critic_norm="layer")).norm, VirtualBatch(MLP(norm="batch")).critic_norm) == ("virtual", "none")
