"""The techniques of improved GANs, each against its closed form."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import tacit
from tacit.core import Nets, Rng, Round
from tacit.core.checks import check_declaration
from tacit.data import Spec
from tacit.networks.minibatch import Head, MinibatchDiscrimination

NET = tacit.MLP(widths=(16,))
RUN = {"steps": 6, "batch_size": 16, "precision": "float32", "log_every": 1}


def features(n: int = 7, width: int = 4) -> Tensor:
    return torch.randn(n, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_the_minibatch_layer_is_its_double_sum():
    torch.manual_seed(0)
    layer = MinibatchDiscrimination(4, kernels=3, dim=2).double()
    f = features().requires_grad_(True)
    T = layer.T.weight.view(3, 2, 4)
    rows = []
    for i in range(7):
        m = [T @ f[j] for j in range(7)]
        rows.append(torch.stack([sum((-(m[i][b] - m[j][b]).abs().sum()).exp() for j in range(7)) for b in range(3)]))
    want, got = torch.stack(rows), layer(f)
    torch.testing.assert_close(got[:, :4], f)
    torch.testing.assert_close(got[:, 4:], want, rtol=1e-12, atol=1e-12)
    u = torch.randn(7, 3, dtype=torch.float64)
    a, b = (torch.autograd.grad((o * u).sum(), [f, layer.T.weight]) for o in (got[:, 4:], want))
    for x, y in zip(a, b, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-10, atol=1e-12)
    far = layer(1e4 * f.detach())[:, 4:]
    torch.testing.assert_close(far, torch.ones_like(far)), "only itself is near"


def test_a_head_reads_closeness_as_a_mean():
    torch.manual_seed(0)
    head = Head(4, kernels=2, dim=3)
    f = features().float()
    w, o = head.linear.weight[0], head.minibatch(f)[:, 4:]
    torch.testing.assert_close(head(f), f @ w[:4] + o @ w[4:] / 7 + head.linear.bias)
    twice = torch.cat([f, f])
    torch.testing.assert_close(head(twice)[:7], head(f), rtol=1e-5, atol=1e-6)
    plain = Head(4)
    torch.testing.assert_close(plain(f), plain.linear(f)[:, 0])
    assert plain.minibatch is None


def test_what_couples_the_batch_says_so():
    alone = {"networks": NET, "kernels": 0}
    assert not tacit.ImprovedGAN(**alone).couples_batch
    for more in ({"kernels": 1}, {"feature_matching": True}, {"pack": 2}, {"objective": tacit.objectives.Fisher()}):
        assert tacit.ImprovedGAN(**{**alone, **more}).couples_batch


def nets(system: tacit.ImprovedGAN, width: int = 6) -> Nets:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Nets({k: m.double() for k, m in system.nets(Spec(shape=(width,))).items()})


def given(n: Nets, size: int = 8) -> Round:
    rng = Rng(0)
    rng.dtype = torch.float64
    return Round(x=rng.normal(size, 6), z=rng.normal(size, 3), eps=rng.uniform(size), memory={}, step=0, size=size)


def test_feature_matching_moves_the_mean_of_the_features():
    """G(z) = z + b and f(x) = Wx: the gradient in b is 2·Wᵀ(E f(G) − E f(x))."""

    class Shift(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.b = nn.Parameter(torch.full((6,), 0.3, dtype=torch.float64))

        def forward(self, z: Tensor) -> Tensor:
            return z + self.b

    system = tacit.ImprovedGAN(networks=NET, feature_matching=True)
    W = nn.Linear(6, 5, bias=False).double()
    n = Nets({"G": Shift(), "F": W, "D": Head(5, 4, 2)})
    rng = Rng(1)
    rng.dtype = torch.float64
    r = Round(x=rng.normal(9, 6), z=rng.normal(9, 6), memory={}, step=0, size=9)
    terms = system.generator(n, r)
    gap = W(n.G(r.z)).mean(0) - W(r.x).mean(0)
    assert set(terms) == {"features"} and terms["features"].item() == pytest.approx(gap.square().sum().item(), rel=1e-12)
    (got,) = torch.autograd.grad(terms["features"], n.parameters(("G",)))
    torch.testing.assert_close(got, 2 * W.weight.T @ gap, rtol=1e-10, atol=1e-12)


def test_without_its_techniques_it_is_the_game_between_d_and_g():
    system = tacit.ImprovedGAN(networks=NET, prior=tacit.Gaussian(3), objective=tacit.NonSaturating(), kernels=0)
    n = nets(system)
    r = given(n)
    fake = n.G(r.z)
    real_out, fake_out = n.D(n.F(r.x)), n.D(n.F(fake))
    assert system.critic(n, r)["adversarial"].item() == pytest.approx(tacit.NonSaturating().critic(real_out, fake_out).item())
    assert system.generator(n, r)["adversarial"].item() == pytest.approx(tacit.NonSaturating().generator(fake_out).item())
    torch.testing.assert_close(system.verdict(n, r.x), real_out)


def test_real_and_generated_rows_are_each_among_their_own():
    system = tacit.ImprovedGAN(networks=NET, prior=tacit.Gaussian(3), kernels=2, kernel_dim=2, features=5)
    n = nets(system)
    r = given(n)
    together = n.D(n.F(torch.cat([r.x, n.G(r.z)])))
    apart = system.objective.critic(n.D(n.F(r.x)), n.D(n.F(n.G(r.z))))
    got = system.critic(n, r)["adversarial"].item()
    assert got == pytest.approx(apart.item(), rel=1e-12)
    assert abs(got - system.objective.critic(together[:8], together[8:]).item()) > 1e-6


def test_a_penalty_sees_the_slope_of_the_batchs_sum():
    system = tacit.ImprovedGAN(
        networks=NET, prior=tacit.Gaussian(3), kernels=2, kernel_dim=2, objective=tacit.Wasserstein(), penalty=tacit.GradientPenalty(3.0)
    )
    n = nets(system)
    r = given(n)
    x = r.eps[:, None] * r.x + (1 - r.eps[:, None]) * n.G(r.z)
    slopes = torch.autograd.functional.jacobian(lambda t: n.D(n.F(t)).sum(), x).norm(dim=1)
    assert system.critic(n, r)["penalty"].item() == pytest.approx(3 * (slopes - 1).square().mean().item(), rel=1e-9)


TRICKS = {
    "nothing": {},
    "matching": {"feature_matching": True},
    "minibatch": {"kernels": 3, "kernel_dim": 2},
    "virtual": {"networks": tacit.networks.VirtualBatch(tacit.MLP(widths=(16,), norm="batch", critic_norm="batch"), reference=5)},
    "history": {k: tacit.rules.HistoricalAveraging(tacit.Adam(1e-3), 0.1) for k in ("rule", "critic_rule")},
}
GAMES = {
    "smooth": {"objective": tacit.NonSaturating(smoothing=0.1)},
    "wgan-gp": {"objective": tacit.Wasserstein(), "penalty": tacit.GradientPenalty(1.0)},
    "hinge-spectral": {"objective": tacit.Hinge(), "penalty": tacit.SpectralNormalisation()},
    "fisher-packed": {"objective": tacit.objectives.Fisher(), "pack": 2},
    "f-divergence-clipped": {"objective": tacit.objectives.FDivergence("kl"), "penalty": tacit.WeightClipping(0.1), "simultaneous": True},
}


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("trick", [*TRICKS, "all"])
def test_each_technique_goes_with_any_game(trick, game, vectors):
    chosen = TRICKS[trick] if trick != "all" else {k: v for t in TRICKS.values() for k, v in t.items()}
    base = {"networks": NET, "prior": tacit.Gaussian(3), "features": 8, "kernels": 0}
    system = tacit.ImprovedGAN(**{**base, **GAMES[game], **chosen})
    model = tacit.fit(system, vectors, **{**RUN, "steps": 2})
    assert all(math.isfinite(v) for line in model.log for k, v in line.items() if "/" in k)
    assert model.sample(3).shape == (3, 6)
    assert ("generator/features" in model.log[-1]) == (trick in ("matching", "all"))


@pytest.mark.parametrize(
    ("options", "word"), [({"features": 0}, "features=0"), ({"kernels": -1}, "kernels=-1"), ({"kernel_dim": 0}, "kernel_dim=0")]
)
def test_sizes_without_a_meaning_are_refused(options, word):
    with pytest.raises(tacit.InputError, match=f"ImprovedGAN got .*{word}.*; expected .*; mend"):
        tacit.ImprovedGAN(**options)


def test_the_paper_is_named_where_its_techniques_are_used():
    from tacit.cite import papers

    ids = lambda s: [p.id for p in papers(s)]  # noqa: E731
    assert "arXiv:1606.03498" in ids(tacit.ImprovedGAN()) and "arXiv:1606.03498" not in ids(tacit.GAN())
    for more in ({"objective": tacit.Minimax(0.1)}, TRICKS["virtual"], TRICKS["history"]):
        assert "arXiv:1606.03498" in ids(tacit.GAN(**more))


def test_a_virtual_critic_refers_to_the_first_rows_of_training(vectors):
    system = tacit.GAN(prior=tacit.Gaussian(3), penalty=tacit.GradientPenalty(1.0), **TRICKS["virtual"])
    check_declaration(system, Nets(system.nets(Spec(shape=(6,)))), system.phases())
    model = tacit.fit(system, vectors, **RUN)
    kept = model.nets.D.reference
    rows = model.spec.prepare(vectors)
    assert kept.shape == (5, 6) and len({int((rows - r).abs().sum(1).argmin()) for r in kept}) == 5
    assert all(float((rows - r).abs().sum(1).min()) == 0 for r in kept)
    more = model.fit(vectors[::-1].copy(), **RUN)
    assert torch.equal(more.nets.D.reference, kept) and torch.equal(more.nets.G.net.reference, model.nets.G.net.reference)
    other = tacit.fit(dataclasses.replace(system), vectors, **{**RUN, "seed": 1})
    assert not torch.equal(other.nets.D.reference, kept) and not torch.equal(other.nets.G.net.reference, model.nets.G.net.reference)
    np.testing.assert_allclose(more.sample(9, seed=4)[:1], more.decode(_latents(more, 9, 4)[:1]), rtol=1e-5, atol=1e-6)


def _latents(model: tacit.Model, n: int, seed: int) -> np.ndarray:
    return model.system.prior.sample(n, Rng(seed)).numpy()
