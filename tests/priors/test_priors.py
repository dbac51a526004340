"""Priors against scipy, by integration, and by their samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

import tacit
from tacit.core import Rng, names
from tacit.core.part import get
from tacit.priors import Codes
from tacit.priors.codes import CodedLatent
from tacit.priors.gaussian import arc
from tacit.priors.one_hot_gaussian import MixedCode, MixedLatent
from tacit.uses.paths import path, ways

PLANES = [
    tacit.Gaussian(2, 0.5), tacit.Uniform(2, 1.2), tacit.Mixture(4, 2, sigma=0.3), tacit.priors.Petals(6, 1.0, 0.3, 0.15),
]  # fmt: skip


def test_gaussian_is_scipys():
    z = Rng(0).normal(50, 4).double()
    want = stats.multivariate_normal(np.zeros(4), 0.7**2 * np.eye(4)).logpdf(z.numpy())
    np.testing.assert_allclose(tacit.Gaussian(4, 0.7).log_prob(z), want, rtol=1e-12)


def test_uniform_is_scipys():
    z = torch.tensor([[0.2, -1.4], [1.5, 0.0], [1.6, 0.0], [0.0, -2.0]], dtype=torch.float64)
    want = stats.uniform(-1.5, 3).logpdf(z.numpy()).sum(1)
    np.testing.assert_allclose(tacit.Uniform(2, 1.5).log_prob(z), want, rtol=1e-12)


def test_mixture_is_scipys():
    prior = tacit.Mixture(n_components=3, latent_dim=2, sigma=0.4, radius=2.0)
    z = 2 * Rng(1).normal(50, 2).double()
    density = sum(stats.multivariate_normal(m, 0.4**2 * np.eye(2)).pdf(z.numpy()) for m in prior.means().double().numpy()) / 3
    np.testing.assert_allclose(prior.log_prob(z), np.log(density), rtol=1e-6)
    np.testing.assert_allclose(prior.means().norm(dim=1), 2.0, rtol=1e-6)
    assert torch.equal(prior.means(), tacit.Mixture(3, 2, 0.4, 2.0).means())


def test_petals_are_scipys():
    prior = tacit.priors.Petals(n_components=5, radius=1.2, length=0.6, sigma=0.2)
    z = 2 * Rng(1).normal(50, 2).double()
    density = 0.0
    for k in range(5):
        u = np.array([np.cos(2 * np.pi * k / 5), np.sin(2 * np.pi * k / 5)])
        v = np.array([-u[1], u[0]])
        cov = 0.36 * np.outer(u, u) + 0.04 * np.outer(v, v)
        density = density + stats.multivariate_normal(1.2 * u, cov).pdf(z.numpy()) / 5
    np.testing.assert_allclose(prior.log_prob(z), np.log(density), rtol=1e-9)


def test_the_swiss_roll_lies_along_its_spiral():
    prior = tacit.priors.SwissRoll(radius=3.0, turns=2.0, sigma=0.05)
    z = prior.sample(4000, Rng(2)).double()
    s = torch.linspace(0, 1, 20_001, dtype=torch.float64)
    spiral = 3 * s[:, None] * torch.stack([(4 * np.pi * s).cos(), (4 * np.pi * s).sin()], 1)
    near = torch.cat([torch.cdist(part, spiral).min(1).values for part in z.split(500)])
    assert near.max() < 5 * 0.05
    side = torch.linspace(-4, 4, 161, dtype=torch.float64)
    wide = tacit.priors.SwissRoll(radius=2.0, turns=1.5, sigma=0.2)
    log_p = wide.log_prob(torch.stack(torch.meshgrid(side, side, indexing="ij"), -1).reshape(-1, 2))
    assert log_p.exp().sum().item() * 0.05**2 == pytest.approx(1.0, abs=1e-3)
    entropy = -(log_p.exp() * log_p).sum().item() * 0.05**2
    assert -wide.log_prob(wide.sample(4000, Rng(3)).double()).mean().item() == pytest.approx(entropy, abs=0.05)
    # The radius of a point is 3√u with u uniform, but for the noise.
    assert stats.kstest((z.norm(dim=1) / 3).square().numpy(), "uniform").statistic < 0.04


def test_a_category_is_a_one_hot():
    prior = tacit.priors.Categorical(4)
    z = prior.sample(8000, Rng(0))
    assert torch.equal(z.sum(1), torch.ones(8000)) and torch.equal(z.max(1).values, torch.ones(8000))
    assert stats.chisquare(z.sum(0).numpy()).pvalue > 1e-3
    torch.testing.assert_close(prior.log_prob(z).exp(), torch.full((8000,), 0.25))
    logits = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(prior.embed(prior.split(logits)), logits.softmax(1))


def test_one_hot_gaussian_is_a_product():
    prior = tacit.OneHotGaussian(5, 3, sigma=0.2)
    z = prior.sample(40, Rng(0))
    want = stats.norm(0, 0.2).logpdf(z.continuous.double().numpy()).sum(1) + np.log(1 / 5)
    np.testing.assert_allclose(prior.log_prob(MixedLatent(z.continuous.double(), z.categorical)), want, rtol=1e-9)
    flat = prior.join(z)
    assert flat.shape == (40, 8) and prior.dim == prior.code_dim == 8
    torch.testing.assert_close(flat[:, :3], z.continuous)
    assert torch.equal(flat[:, 3:].argmax(1), z.categorical) and torch.equal(flat[:, 3:].sum(1), torch.ones(40))
    code = prior.split(torch.randn(6, 8, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(prior.embed(code)[:, 3:].sum(1), torch.ones(6))
    assert prior.embed(code).shape == (6, 8)


CODES = Codes(categories=(4, 2), uniform=2, gaussian=1, noise=3)


def test_codes_are_a_product():
    z = CODES.sample(60, Rng(0))
    exact = CodedLatent(z.categorical, *(t.double() for t in (z.uniform, z.gaussian, z.noise)))
    numbers = np.concatenate([exact.gaussian.numpy(), exact.noise.numpy()], 1)
    want = stats.norm.logpdf(numbers).sum(1) + stats.uniform(-1, 2).logpdf(exact.uniform.numpy()).sum(1) - np.log(8)
    np.testing.assert_allclose(CODES.log_prob(exact), want, rtol=1e-9)
    assert CODES.log_prob(exact._replace(uniform=exact.uniform + 3)).isneginf().all()
    flat = CODES.join(z)
    assert flat.shape == (60, CODES.dim) and (CODES.dim, CODES.width, CODES.code_dim) == (12, 9, 12)
    assert torch.equal(flat[:, :4].argmax(1), z.categorical[:, 0]) and torch.equal(flat[:, 4:6].argmax(1), z.categorical[:, 1])
    assert torch.equal(flat[:, :6].sum(1), torch.full((60,), 2.0))
    torch.testing.assert_close(flat[:, 6:], torch.cat([z.uniform, z.gaussian, z.noise], 1))
    few = Codes(categories=(), uniform=1, noise=0)
    assert few.join(few.sample(5, Rng(0))).shape == (5, 1)


def test_what_is_read_of_codes_has_scipys_densities():
    z = CODES.sample(30, Rng(2))
    z = CodedLatent(z.categorical, *(t.double() for t in (z.uniform, z.gaussian, z.noise)))
    flat = torch.randn(30, CODES.code_dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    got = CODES.log_q(CODES.split(flat), z)
    assert list(got) == ["category_1", "category_2", "uniform_1", "uniform_2", "gaussian_1"] == list(CODES.entropies())
    for name, part, at in (("category_1", flat[:, :4], 0), ("category_2", flat[:, 4:6], 1)):
        torch.testing.assert_close(got[name], -torch.nn.functional.cross_entropy(part, z.categorical[:, at], reduction="none"))
    mean, sigma = flat[:, 6:9].numpy(), np.exp(0.5 * flat[:, 9:12].numpy())
    numbers = torch.cat([z.uniform, z.gaussian], 1).numpy()
    for i, name in enumerate(("uniform_1", "uniform_2", "gaussian_1")):
        np.testing.assert_allclose(got[name], stats.norm(mean[:, i], sigma[:, i]).logpdf(numbers[:, i]), rtol=1e-9)
    want = torch.cat([flat[:, :4].softmax(1), flat[:, 4:6].softmax(1), flat[:, 6:9]], 1)
    torch.testing.assert_close(CODES.embed(CODES.split(flat)), want)
    half = CODES.split(flat.to(torch.bfloat16))
    assert all(t.dtype == torch.float32 for t in (*half.logits, half.mean, half.log_var))


def test_entropies_of_codes_are_minus_the_mean_log_densities():
    z = CODES.sample(100_000, Rng(4))
    got = CODES.entropies()
    assert got["category_1"] == pytest.approx(stats.entropy(np.bincount(z.categorical[:, 0]) / 1e5), abs=1e-3)
    assert got["uniform_1"] == pytest.approx(stats.uniform(-1, 2).entropy()) and got["gaussian_1"] == pytest.approx(stats.norm.entropy())


@pytest.mark.parametrize("prior", PLANES)
def test_densities_integrate_to_one(prior):
    side = torch.linspace(-3, 3, 1201, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(side, side, indexing="ij"), -1).reshape(-1, 2)
    assert prior.log_prob(grid).exp().sum().item() * (6 / 1200) ** 2 == pytest.approx(1.0, abs=5e-3)


@pytest.mark.parametrize("prior", PLANES)
def test_samples_are_of_the_density(prior):
    """E log p under the samples is minus the entropy found on a grid."""
    z = prior.sample(40_000, Rng(3)).double()
    side = torch.linspace(-3, 3, 601, dtype=torch.float64)
    log_p = prior.log_prob(torch.stack(torch.meshgrid(side, side, indexing="ij"), -1).reshape(-1, 2))
    inside = torch.isfinite(log_p)
    entropy = -(log_p[inside].exp() * log_p[inside]).sum().item() * (6 / 600) ** 2
    assert -prior.log_prob(z).mean().item() == pytest.approx(entropy, abs=0.04)


def test_categories_are_even():
    k = tacit.OneHotGaussian(5, 2).sample(50_000, Rng(0)).categorical
    assert stats.chisquare(torch.bincount(k, minlength=5).numpy()).pvalue > 1e-3


@pytest.mark.parametrize("name", names("prior"))
def test_every_prior_is_sharded_and_repeatable(name):
    prior = get("prior", name)()
    one = prior.join(prior.sample(6, Rng(4)))
    two = torch.cat([prior.join(prior.sample(3, Rng(4, rank=r, world=2))) for r in range(2)])
    assert one.shape == (6, prior.dim) and torch.equal(one, two)
    assert torch.equal(one, prior.join(prior.sample(6, Rng(4)))) and not torch.equal(one, prior.join(prior.sample(6, Rng(5))))
    assert torch.isfinite(prior.log_prob(prior.sample(6, Rng(4)))).all()


@pytest.mark.parametrize(("make", "reason"), [
    (lambda: tacit.Gaussian(0), "latent_dim=0"), (lambda: tacit.Gaussian(2, -1.0), "sigma=-1.0"),
    (lambda: tacit.Uniform(2, 0.0), "a=0.0"), (lambda: tacit.Mixture(0), "n_components=0"),
    (lambda: tacit.OneHotGaussian(1), "n_clusters=1"), (lambda: Codes(categories=(1,)), r"categories=\(1,\)"),
    (lambda: Codes(uniform=-1), "uniform=-1"), (lambda: Codes(categories=(), uniform=0), "at least one code"),
    (lambda: tacit.priors.Petals(length=0.0), "length=0.0"),
    (lambda: tacit.priors.SwissRoll(sigma=0.001), "sigma=0.001"), (lambda: tacit.priors.Categorical(1), "n_clusters=1"),
])  # fmt: skip
def test_meaningless_priors_are_refused(make, reason):
    with pytest.raises(tacit.InputError, match=reason):
        make()


# ---------------------------------------------------------------------- vectors, pieces, what can be read back


WALKED = [name for name in names("prior") if ways(get("prior", name)())[-1] == "prior"]
"""Priors that say what the ways between their latents are."""


def test_the_four_priors_of_the_paper_have_ways_of_their_own():
    assert {"gaussian", "uniform", "mixture", "one-hot-gaussian"} <= set(WALKED)


@pytest.mark.parametrize("name", WALKED)
def test_a_vector_stands_for_its_latent(name):
    prior = get("prior", name)()
    flat = prior.join(prior.sample(50, Rng(1)))
    assert torch.equal(prior.join(prior.latent(flat)), flat)
    assert flat[:, : prior.free].abs().max() <= prior.bound < 100
    category = flat[:, prior.free :].argmax(1) if prior.n_categories else torch.zeros(50, dtype=torch.long)
    assert torch.equal(prior.place(flat[:, : prior.free], category), flat)


@pytest.mark.parametrize("prior", [tacit.Gaussian(3), tacit.Uniform(3), tacit.Mixture(4, 3)])
def test_what_can_be_read_back_of_a_vector_is_the_vector(prior):
    z, code = prior.sample(20, Rng(0)), torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    assert prior.n_categories == 0
    got = prior.recovery(prior.split(code), z)
    assert list(got) == ["continuous"]
    torch.testing.assert_close(got["continuous"], (code - z).square().sum() / 60)
    assert prior.recovery(z, z)["continuous"] == 0


def test_what_can_be_read_back_of_a_category_is_its_probability():
    prior = tacit.OneHotGaussian(3, 2)
    z = MixedLatent(torch.zeros(2, 2), torch.tensor([0, 2]))
    got = prior.recovery(MixedCode(torch.ones(2, 2), torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]))), z)
    assert prior.n_categories == 3 and prior.free == 2
    assert {k: v.item() for k, v in got.items()} == pytest.approx({"continuous": 1.0, "categorical": -(np.log(0.5) + np.log(0.8)) / 2})


# ---------------------------------------------------------------------- paths


def wide(name):
    """A prior of so many dimensions that all its draws are about as long; and two sets of its draws."""
    cls = get("prior", name)
    prior = cls(latent_dim=200) if "latent_dim" in cls.__dataclass_fields__ else cls()
    return prior, *(prior.join(prior.sample(200, Rng(s))) for s in (1, 2))


def strange(prior, z):
    """The share of vectors that are no latents, or whose −log p or mean square is beyond those of 20,000 draws."""
    drawn = prior.join(prior.sample(20_000, Rng(3)))
    out = (prior.join(prior.latent(z)) - z).abs().amax(1) > 1e-4

    def figures(v):
        return -prior.log_prob(prior.latent(v)), v[:, : prior.free].square().mean(1)

    for ours, theirs in zip(figures(z), figures(drawn), strict=True):
        out |= ~ours.isfinite() | (ours < theirs.min() - 1e-3) | (ours > theirs.max() + 1e-3)
    return out.float().mean().item()


@pytest.mark.parametrize("name", WALKED)
def test_the_priors_path_stays_where_draws_are_and_the_straight_line_does_not(name):
    prior, a, b = wide(name)
    way = prior.path(a, b, torch.linspace(0, 1, 9))
    torch.testing.assert_close(way[:, 0], a, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(way[:, -1], b, atol=1e-4, rtol=1e-3)
    assert strange(prior, way.flatten(0, 1)) < 0.002
    assert torch.equal(path(a, b, 9, how="prior", prior=prior), way)
    # Half way, what lies on the line is too short, or no corner of the simplex: the check above can fail.
    assert strange(prior, path(a, b, 3)[:, 1]) > 0.9


def test_arcs_turn_evenly_and_keep_lengths():
    g = torch.Generator().manual_seed(0)
    a, b = (torch.randn(30, 12, generator=g, dtype=torch.float64) for _ in range(2))
    t = torch.linspace(0, 1, 6, dtype=torch.float64)
    way = arc(a, b, t)
    lengths = torch.lerp(a.norm(dim=1)[:, None], b.norm(dim=1)[:, None], t[None])
    torch.testing.assert_close(way.norm(dim=2), lengths)
    unit = way / way.norm(dim=2, keepdim=True)
    turns = (unit[:, 1:] * unit[:, :-1]).sum(2).arccos()
    torch.testing.assert_close(turns, turns.mean(1, keepdim=True).expand(-1, 5))
    assert torch.equal(path(a, b, 6, how="spherical"), way)


def test_arcs_between_opposite_equal_and_empty_ends():
    a = torch.tensor([[3.0, 4.0, 0.0], [3.0, 4.0, 0.0], [3.0, 4.0, 0.0]], dtype=torch.float64)
    b = torch.tensor([[-3.0, -4.0, 0.0], [3.0, 4.0, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    opposite, same, empty = arc(a, b, torch.tensor([0.0, 0.5, 1.0]))
    torch.testing.assert_close(opposite.norm(dim=1), torch.full((3,), 5.0, dtype=torch.float64))
    torch.testing.assert_close(opposite[[0, 2]], torch.stack([a[0], b[0]]))
    torch.testing.assert_close(same, a)
    torch.testing.assert_close(empty, torch.stack([a[0], a[0] / 2, 0 * a[0]]))


@pytest.mark.parametrize(("ask", "reason"), [
    ({"how": "round"}, "the path 'round'; expected one of: linear"), ({"points": 1}, "points=1"),
    ({"how": "prior"}, "the prior of these codes"), ({"how": "prior", "prior": tacit.Gaussian(5)}, "the prior of these codes"),
    ({"b": torch.zeros(2, 4)}, "ends of shapes"),
])  # fmt: skip
def test_paths_without_a_meaning_are_refused(ask, reason):
    ends = {"a": torch.zeros(2, 3), "b": torch.ones(2, 3)} | {k: ask.pop(k) for k in ("a", "b") if k in ask}
    with pytest.raises(tacit.InputError, match=reason):
        path(ends["a"], ends["b"], **ask)


def test_a_prior_without_a_path_says_so():
    class Plain(tacit.core.Prior):
        """Another distribution."""

        dim = 3

    assert ways(Plain()) == ("linear", "spherical")
    with pytest.raises(tacit.InputError, match=r"Plain has no path of its own.*take linear or spherical"):
        path(torch.zeros(2, 3), torch.ones(2, 3), how="prior", prior=Plain())
