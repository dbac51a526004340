"""InfoGAN: its bound against closed forms, who moves what by it, and what is read from the codes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import tacit
from tacit.core import Nets, Rng, Round
from tacit.data import Spec
from tacit.priors import Codes

MLP = tacit.MLP(widths=(16,))
PRIOR = Codes(categories=(3, 2), uniform=1, gaussian=1, noise=4)
SPEC = Spec(shape=(6,))


def game(**options):
    system = tacit.InfoGAN(**{"prior": PRIOR, "networks": MLP, "features": 8, **options})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        n = Nets({k: m.double() for k, m in system.nets(SPEC).items()})
    rng = Rng(1)
    rng.dtype = torch.float64
    r = system.draw(n, Rows(rng.normal(12, 6)), rng, {})
    return system, n, r.but(memory={}, step=0, size=12)


class Rows:
    def __init__(self, x: Tensor):
        self.x = x

    def __len__(self) -> int:
        return len(self.x)


class Same(nn.Module):
    """G(z) = the codes and the noise themselves."""

    def forward(self, z) -> Tensor:
        return PRIOR.join(z)


class Told(nn.Module):
    """Q that is given q(c|x) as it is: sharp categories of the weight ``sure``, numbers with the deviation ``sigma``."""

    def __init__(self, sure: float, sigma: float):
        super().__init__()
        self.sure, self.sigma = sure, sigma

    def forward(self, x: Tensor) -> Tensor:
        log_var = torch.full((len(x), 2), 2 * math.log(self.sigma), dtype=x.dtype)
        return torch.cat([self.sure * x[:, :5], x[:, 5:7], log_var], 1)


@pytest.mark.parametrize(("sure", "sigma"), [(100.0, 0.1), (1.0, 0.5), (0.0, 1.0)])
def test_the_bound_is_its_closed_form(sure, sigma):
    """q(c|x) centred on c: log q + H is log K − log(1 + (K − 1)e^{−w}), and H(c) − ½·log(2πσ²)."""
    system = tacit.InfoGAN(prior=PRIOR, share=False, discrete=0.0, continuous=0.0)
    n = Nets({"G": Same(), "Q": Told(sure, sigma)})
    rng = Rng(3)
    rng.dtype = torch.float64
    z = PRIOR.sample(4000, rng)
    got = {k: v.item() for k, v in system.information(n, z, n.G(z)).items()}
    spread = 0.5 * math.log(2 * math.pi * sigma**2)
    want = {f"category_{i}": math.log(k) - math.log1p((k - 1) * math.exp(-sure)) for i, k in ((1, 3), (2, 2))}
    want |= {"uniform_1": math.log(2) - spread, "gaussian_1": 0.5 * math.log(2 * math.pi * math.e) - spread}
    assert got == pytest.approx(want, abs=1e-9)


def test_the_bound_never_passes_what_there_is_to_know():
    """Codes through noise, c + s·ε: the mutual information is ½·log(1 + 1/s²), and the best Gaussian q reaches it."""
    s = 0.5
    prior = Codes(categories=(), uniform=0, gaussian=1, noise=1)
    system = tacit.InfoGAN(prior=prior, share=False, discrete=0.0, continuous=0.0)

    class Noisy(nn.Module):
        def forward(self, z):
            return z.gaussian + s * z.noise

    class Best(nn.Module):
        def __init__(self, slope: float):
            super().__init__()
            self.slope = slope

        def forward(self, x):
            return torch.cat([self.slope * x, torch.full_like(x, math.log(s**2 / (1 + s**2)))], 1)

    rng = Rng(0)
    rng.dtype = torch.float64
    z = prior.sample(200_000, rng)
    known, slope = 0.5 * math.log(1 + 1 / s**2), 1 / (1 + s**2)
    bounds = [system.information(Nets({"Q": Best(a)}), z, Noisy()(z))["gaussian_1"].item() for a in (slope, 0.5 * slope, 1.5 * slope)]
    assert bounds[0] == pytest.approx(known, abs=0.01) and max(bounds[1:]) < known - 0.05


def test_both_players_are_paid_by_lambda():
    system, n, r = game(discrete=2.0, continuous=0.5, penalty=tacit.GradientNorm(0.1))
    bounds = system.information(n, r.z, n.G(r.z))
    made, judged = system.generator(n, r), system.critic(n, r)
    for terms in (made, judged):
        torch.testing.assert_close(terms["categorical"], -2.0 * (bounds["category_1"] + bounds["category_2"]))
        torch.testing.assert_close(terms["continuous"], -0.5 * (bounds["uniform_1"] + bounds["gaussian_1"]))
    fake = n.G(r.z)
    torch.testing.assert_close(made["adversarial"], tacit.NonSaturating().generator(n.D(n.F(fake))))
    torch.testing.assert_close(judged["adversarial"], tacit.NonSaturating().critic(n.D(n.F(r.x)), n.D(n.F(fake))))
    torch.testing.assert_close(judged["penalty"], tacit.GradientNorm(0.1)(lambda x: n.D(n.F(x)), r.x, fake))
    generator = next(p for p in system.players() if p.name == "generator")
    assert set(generator.logs) == set(bounds) and len(generator.summed(made)) == 3, "nats are logged, not summed"


def test_the_trunk_is_moved_by_the_verdict_and_by_the_codes():
    system, n, r = game()
    terms = system.critic(n, r)
    for term, nets in (("adversarial", {"F", "D"}), ("categorical", {"F", "Q"}), ("continuous", {"F", "Q"})):
        for name in ("F", "D", "Q"):
            grads = torch.autograd.grad(terms[term], n.parameters((name,)), retain_graph=True, allow_unused=True)
            assert (grads[0] is not None) == (name in nets), (term, name)
    own, m, q = game(share=False, discrete=0.0, continuous=0.0)
    terms = own.critic(m, q)
    grads = torch.autograd.grad(terms["categorical"], m.parameters(("F", "Q")), allow_unused=True)
    in_trunk = len(m.parameters(("F",)))
    assert all(g is None for g in grads[:in_trunk]) and all(g is not None for g in grads[in_trunk:])


def test_with_lambda_0_it_is_a_plain_gan_whose_codes_are_read():
    system, n, r = game(share=False, discrete=0.0, continuous=0.0)
    terms = system.generator(n, r)
    assert terms["categorical"] == 0 and terms["continuous"] == 0
    got = torch.autograd.grad(sum(terms[k] for k in ("adversarial", "categorical", "continuous")), n.parameters(("G",)))
    want = torch.autograd.grad(tacit.NonSaturating().generator(n.D(n.F(n.G(r.z)))), n.parameters(("G",)))
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a, b)
    bounds = system.information(n, r.z, n.G(r.z))
    torch.testing.assert_close(system.critic(n, r)["categorical"], -(bounds["category_1"] + bounds["category_2"])), "Q learns all the same"


def test_a_change_of_the_row_is_seen_by_all():
    system, n, r = game(augment=tacit.Noise(0.5))
    fake = n.G(r.z) + 0.5 * r.t_fake
    terms = system.generator(n, r)
    torch.testing.assert_close(terms["adversarial"], tacit.NonSaturating().generator(n.D(n.F(fake))))
    torch.testing.assert_close(terms["category_1"], system.information(n, r.z, fake)["category_1"])
    seen = tacit.NonSaturating().critic(n.D(n.F(r.x + 0.5 * r.t_real)), n.D(n.F(fake)))
    torch.testing.assert_close(system.critic(n, r)["adversarial"], seen)


def test_what_is_asked_of_the_category_on_real_rows():
    system, n, r = game(augment=tacit.Noise(0.5), real=2.0, balance=3.0, stability=4.0)
    assert system.couples_batch and not tacit.InfoGAN().couples_batch
    got, without = system.critic(n, r), game(augment=tacit.Noise(0.5))[0].critic(n, r)
    p, q = (n.Q(n.F(x))[:, :3].softmax(1) for x in (r.x, r.x + 0.5 * r.t_real))
    mean = p.mean(0)
    torch.testing.assert_close(got.pop("certainty"), -2 * (p * p.log()).sum(1).mean())
    torch.testing.assert_close(got.pop("balance"), 6 * (mean * mean.log()).sum())
    torch.testing.assert_close(got.pop("stability"), 8 * (p * (p / q).log()).sum(1).mean())
    assert got.keys() == without.keys() and all(torch.equal(got[k], without[k]) for k in got), "the paper's game has none of it"


PARTS = {
    "real": {"real": 1.0, "augment": tacit.Noise(0.1), "share": False},
    "wgan-gp": {"objective": tacit.Wasserstein(), "penalty": tacit.GradientPenalty(1.0), "critic_steps": 2},
    "hinge-spectral": {"objective": tacit.Hinge(), "penalty": tacit.SpectralNormalisation()},
    "clipped": {"objective": tacit.objectives.FDivergence("kl"), "penalty": tacit.WeightClipping(0.1), "simultaneous": True},
    "noise": {"instance_noise": 0.1},
    "virtual": {"networks": tacit.networks.VirtualBatch(tacit.MLP(widths=(16,), norm="batch", critic_norm="batch"), reference=5)},
}


@pytest.mark.parametrize("parts", PARTS)
@pytest.mark.parametrize("codes", [Codes((4,), 0, 0, 3), Codes((), 2, 1, 0)], ids=["category", "numbers"])
def test_any_game_plays_it(parts, codes, vectors):
    if parts == "real" and not codes.categories:
        with pytest.raises(tacit.InputError, match="a category where real is more"):
            tacit.InfoGAN(prior=codes, **PARTS[parts])
        return
    options = {"prior": codes, "networks": MLP, "features": 8, **PARTS[parts]}
    model = tacit.fit(tacit.InfoGAN(**options), vectors, steps=3, batch_size=16, precision="float32", log_every=1, ema=0.0)
    assert all(math.isfinite(v) for line in model.log for k, v in line.items() if "/" in k)
    assert model.sample(3).shape == (3, 6) and model.encode(vectors).shape == (len(vectors), codes.width)
    if parts == "clipped":
        assert max(w.abs().max().item() for w in model.nets.parameters(("F", "D"))) <= 0.1 + 1e-6
        assert max(w.abs().max().item() for w in model.nets.parameters(("Q",))) > 0.1 + 1e-6, "Q is not D"


def test_uses():
    system, n, r = game()
    flat = n.Q(n.F(r.x))
    want = torch.cat([flat[:, :3].softmax(1), flat[:, 3:5].softmax(1), flat[:, 5:7]], 1)
    torch.testing.assert_close(system.encode(n, r.x, Rng(0)), want)
    assert torch.equal(system.cluster(n, r.x, Rng(0)), flat[:, :3].argmax(1))
    rng = Rng(5)
    rng.dtype = torch.float64
    noise = rng.normal(12, 4)
    again = Rng(5)
    again.dtype = torch.float64
    torch.testing.assert_close(system.decode(n, want, again), n.G(torch.cat([want, noise], 1)))
    whole = PRIOR.join(r.z)
    torch.testing.assert_close(system.decode(n, whole, again), n.G(r.z))
    torch.testing.assert_close(system.verdict(n, r.x), n.D(n.F(r.x)))
    with pytest.raises(tacit.InputError, match="which has no category; expected one"):
        tacit.InfoGAN(prior=Codes(categories=(), uniform=1)).cluster(n, r.x, Rng(0))


def test_samples_tell_the_category_and_a_plain_gans_tell_it_less():
    x = 2 * torch.randn(300, 4, generator=torch.Generator().manual_seed(0)).numpy()
    small = {"prior": Codes((3,), uniform=0, noise=2), "networks": tacit.MLP(widths=(16,)), "features": 16}
    small |= dict.fromkeys(("rule", "critic_rule"), tacit.Adam(3e-3, (0.5, 0.9)))
    bounds = []
    for more in ({}, {"share": False, "discrete": 0.0, "continuous": 0.0}):
        model = tacit.fit(tacit.InfoGAN(**small, **more), x, steps=300, precision="float32", ema=0.9)
        z = model.system.prior.sample(2000, Rng(1))
        with torch.no_grad():
            bounds.append(model.system.information(model.nets, z, model.nets.G(z))["category_1"].item())
    assert 0.95 * math.log(3) < bounds[0] <= math.log(3) and bounds[1] < bounds[0] - 0.3


@pytest.mark.parametrize(("options", "message"), [
    ({"real": 1.0, "stability": -1.0}, "stability=-1.0"),
    ({"features": 0}, "features=0"), ({"discrete": -1.0}, "discrete=-1.0"), ({"continuous": -0.1}, "continuous=-0.1"),
    ({"discrete": 0.0, "continuous": 0.0}, "share=True, discrete=0.0 and continuous=0.0 has no meaning"),
    ({"continuous": 0.0, "prior": Codes(categories=(), uniform=1)}, "expected one of them above 0"),
    ({"prior": tacit.Gaussian(3)}, "expected Codes"),
])  # fmt: skip
def test_values_without_a_meaning_are_refused(options, message):
    with pytest.raises(tacit.InputError, match=message):
        tacit.InfoGAN(**options)


def test_the_log_has_nats_of_each_code():
    model = tacit.fit(tacit.InfoGAN(networks=MLP, features=8), "digits", steps=2, batch_size=16, log_every=1, precision="float32")
    for line in model.log:
        assert {"generator/category_1", "generator/uniform_1", "generator/uniform_2"} <= set(line)
        assert line["generator/categorical"] == pytest.approx(-line["generator/category_1"], rel=1e-5)
        assert line["generator/continuous"] == pytest.approx(-0.1 * (line["generator/uniform_1"] + line["generator/uniform_2"]), rel=1e-4)
        assert np.isfinite(line["generator/loss"])


def test_a_round_draws_every_change_once():
    _, _, r = game(augment=tacit.Noise(0.1))
    assert isinstance(r, Round) and r.t_real.shape == r.t_fake.shape == (12, 6) and not torch.equal(r.t_real, r.t_fake)
    assert r.z.categorical.shape == (12, 2) and r.z.noise.shape == (12, 4)
