"""Every term of ClusterGAN by hand, when each begins, and the paper's own game."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot, softplus

import tacit
from tacit.core import Nets, Rng
from tacit.core.game import Round
from tacit.data import Spec
from tacit.priors.one_hot_gaussian import MixedCode
from tacit.systems.clusters.clustergan import REAL
from tacit.uses.shares import entropy

SPEC = Spec(shape=(4,))
X = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))
MLP = tacit.MLP(widths=(7,))


class Rows:
    """A batch of rows."""

    def __init__(self, x: Tensor):
        self.x = x

    def __len__(self) -> int:
        return len(self.x)


def game(progress: float = 0.5, step: int = 0, **options: Any) -> tuple[tacit.ClusterGAN, Nets, Round]:
    system = tacit.ClusterGAN(n_clusters=3, latent_dim=2, networks=MLP, **options)
    torch.manual_seed(0)
    n = Nets(system.nets(SPEC), system.memory(SPEC))
    r = system.draw(n, Rows(X), Rng(1), n.memory)
    r.__dict__.update(memory=n.memory, step=step, progress=progress, size=12)
    return system, n, r


def test_the_terms_by_hand():
    system, n, r = game(beta_n=2.0, beta_c=3.0, beta_b=0.5, beta_h=0.7, beta_s=0.9)
    got = system.generator(n, r)
    fake = n.G(r.z)
    code = n.E(fake + 0.1 * r.t_fake)
    torch.testing.assert_close(got["adversarial"], softplus(-n.D(fake + 0.1 * r.u_fake)).mean())
    torch.testing.assert_close(got["continuous"], 2 * (code[:, :2] - r.z.continuous).square().sum() / 24)
    right = code[:, 2:].softmax(1)[range(12), r.z.categorical]
    torch.testing.assert_close(got["categorical"], -3 * right.log().sum() / 12)
    p, q = n.E(X)[:, 2:].softmax(1), n.E(X + 0.1 * r.t_real)[:, 2:].softmax(1)
    mean = p.mean(0)
    torch.testing.assert_close(got["balance"], 0.5 * (mean * mean.log()).sum())
    torch.testing.assert_close(got["certainty"], -0.7 * (p * p.log()).sum() / 12)
    torch.testing.assert_close(got["stability"], -0.9 * (p * q.log()).sum() / 12)
    assert set(got) == {"adversarial", "continuous", "categorical", *REAL}


def test_the_critic_sees_both_sides_changed():
    system, n, r = game()
    got = system.critic(n, r)
    real, fake = X + 0.1 * r.u_real, n.G(r.z) + 0.1 * r.u_fake
    torch.testing.assert_close(got["adversarial"], softplus(-n.D(real)).mean() + softplus(n.D(fake)).mean())
    torch.testing.assert_close(got["penalty"], tacit.GradientNorm(0.1, every=8)(n.D, real, fake))
    assert got["penalty"] > 0 and game(step=3)[0].critic(n, r.but(step=3))["penalty"] == 0
    assert torch.autograd.grad(got["adversarial"], n.parameters(("G",)), allow_unused=True)[0] is None


@pytest.mark.parametrize(("progress", "late"), [(0.0, False), (0.19, False), (0.2, True), (0.9, True)])
def test_real_rows_count_from_their_share_on(progress, late):
    system, n, r = game(progress)
    got = system.generator(n, r)
    assert [bool(got[name] != 0) for name in REAL] == [late] * 3
    early = system.generator(n, r.but(progress=0.0))
    for name in ("adversarial", "continuous", "categorical"):
        torch.testing.assert_close(got[name], early[name])


def test_the_papers_game_has_the_papers_terms():
    none = tacit.NoAugmentation()
    plain = {"beta_b": 0.0, "beta_h": 0.0, "beta_s": 0.0, "augment": none, "critic_augment": none, "beta_n": 10.0, "beta_c": 10.0}
    wgan = {"objective": tacit.Wasserstein(), "penalty": tacit.GradientPenalty(10.0), "critic_steps": 5}
    system, n, r = game(**plain, **wgan)
    got = system.generator(n, r)
    assert list(got) == ["adversarial", "continuous", "categorical"]
    fake = n.G(r.z)
    code = n.E(fake)
    torch.testing.assert_close(got["adversarial"], -n.D(fake).mean())
    torch.testing.assert_close(got["continuous"], 10 * (code[:, :2] - r.z.continuous).square().mean())
    torch.testing.assert_close(got["categorical"], 10 * torch.nn.CrossEntropyLoss()(code[:, 2:], r.z.categorical))
    critic = system.critic(n, r)
    torch.testing.assert_close(critic["adversarial"], n.D(fake).mean() - n.D(X).mean())
    torch.testing.assert_close(critic["penalty"], tacit.GradientPenalty(10.0)(n.D, X, fake, r.eps))


@pytest.mark.parametrize("base", ["vanilla", "non-saturating", "wgan-gp"])
def test_over_either_base_the_game_fits(base):
    parts = {
        "vanilla": {"objective": tacit.Minimax(), "penalty": tacit.NoPenalty()},
        "non-saturating": {"objective": tacit.NonSaturating(), "penalty": tacit.NoPenalty()},
        "wgan-gp": {"objective": tacit.Wasserstein(), "penalty": tacit.GradientPenalty(10.0), "critic_steps": 5},
    }[base]
    none = tacit.NoAugmentation()
    system, n, r = game(beta_b=0.0, beta_h=0.0, beta_s=0.0, augment=none, critic_augment=none, **parts)
    real, fake = n.D(X), n.D(n.G(r.z))
    critic, generator = {
        "vanilla": (softplus(-real).mean() + softplus(fake).mean(), -softplus(fake).mean()),
        "non-saturating": (softplus(-real).mean() + softplus(fake).mean(), softplus(-fake).mean()),
        "wgan-gp": (fake.mean() - real.mean(), -fake.mean()),
    }[base]
    torch.testing.assert_close(system.critic(n, r)["adversarial"], critic)
    torch.testing.assert_close(system.generator(n, r)["adversarial"], generator)
    y = np.arange(200) % 2
    x = 6 * y[:, None] + 0.3 * np.random.default_rng(0).normal(size=(200, 2))
    small = dataclasses.replace(system, n_clusters=2, networks=tacit.MLP(widths=(24,)), beta_n=1.0, beta_c=1.0)
    fast = dataclasses.replace(small, rule=tacit.Adam(1e-3, (0.5, 0.9)), critic_rule=tacit.Adam(1e-3, (0.5, 0.9)))
    model = tacit.fit(fast, x, steps=150, batch_size=32, precision="float32")
    made = model.sample(400)
    assert abs(made - x.mean(0)).max() < 12 and np.isfinite([v for line in model.log for v in line.values() if isinstance(v, float)]).all()
    assert float(tacit.metrics.accuracy(y, model.cluster(x))) > 0.97


# ---------------------------------------------------------------------- other priors


OTHERS = [tacit.Gaussian(5), tacit.Uniform(5, 0.7), tacit.Mixture(3, 5)]


@pytest.mark.parametrize("prior", OTHERS, ids=lambda p: p.name)
def test_of_another_prior_only_z_is_read_back(prior):
    system = tacit.ClusterGAN(n_clusters=3, prior=prior, networks=MLP, beta_n=2.0)
    torch.manual_seed(0)
    n = Nets(system.nets(SPEC), system.memory(SPEC))
    r = system.draw(n, Rows(X), Rng(1), n.memory)
    r.__dict__.update(memory=n.memory, step=0, progress=0.9, size=12)
    got = system.generator(n, r)
    assert list(got) == ["adversarial", "continuous"] and r.z.shape == (12, 5)
    fake = n.G(r.z)
    torch.testing.assert_close(got["continuous"], 2 * (n.E(fake + 0.1 * r.t_fake) - r.z).square().mean())
    torch.testing.assert_close(system.encode(n, X, Rng(0)), n.E(X))


@pytest.mark.parametrize("prior", OTHERS, ids=lambda p: p.name)
def test_of_another_prior_clusters_are_k_means_of_the_codes(prior, tmp_path):
    y = torch.arange(150) % 3
    x = (4 * torch.eye(4)[y] + 0.2 * torch.randn(150, 4, generator=torch.Generator().manual_seed(0))).numpy()
    system = tacit.ClusterGAN(n_clusters=3, prior=prior, networks=MLP)
    model = tacit.fit(system, x, steps=60, precision="float32", ema=0.9, run=tmp_path / "run")
    codes, centroids = model.encode(x), model.nets.memory["centroids"].numpy()
    # The centroids are means of their rows' codes, by the networks that the model keeps: a fixed point of k-means.
    ids = np.square(codes[:, None] - centroids).sum(2).argmin(1)
    np.testing.assert_allclose(centroids, np.stack([codes[ids == k].mean(0) for k in range(3)]), atol=1e-4)
    np.testing.assert_array_equal(model.cluster(x), ids)
    np.testing.assert_array_equal(model.cluster(x[:7]), ids[:7])
    again = tacit.load(tmp_path / "run")
    assert again.system == system
    np.testing.assert_array_equal(again.cluster(x), ids)


def test_the_default_prior_is_the_one_of_the_sizes():
    given = tacit.ClusterGAN(n_clusters=3, prior=tacit.OneHotGaussian(3, 2, 0.2))
    assert given.latents == tacit.ClusterGAN(n_clusters=3, latent_dim=2, sigma=0.2).latents


@pytest.mark.parametrize(("options", "reason"), [
    ({"n_clusters": 4, "prior": tacit.OneHotGaussian(3, 2)}, "n_clusters=4 with the prior OneHotGaussian"),
    ({"n_clusters": 1, "prior": tacit.Gaussian(3)}, "n_clusters=1.*expected 2 or more"),
    ({"latent_dim": 7, "prior": tacit.Gaussian(3)}, "latent_dim=7.* beside the prior Gaussian"),
    ({"sigma": 0.5, "prior": tacit.Gaussian(3)}, "sigma=0.5 beside the prior Gaussian"),
])  # fmt: skip
def test_priors_that_contradict_the_sizes_are_refused(options, reason):
    with pytest.raises(tacit.InputError, match=reason):
        tacit.ClusterGAN(**options)


# ---------------------------------------------------------------------- on real rows


def test_what_the_terms_on_real_rows_ask_for():
    system = tacit.ClusterGAN(n_clusters=3, beta_b=1.0, beta_h=1.0, beta_s=1.0)
    sure = 50.0 * one_hot(torch.arange(12) % 3).float()
    best = system.real(sure, sure)
    assert best["balance"].item() == pytest.approx(-math.log(3)) and abs(best["certainty"].item()) < 1e-6
    assert abs(best["stability"].item()) < 1e-6
    one = 50.0 * one_hot(torch.zeros(12, dtype=torch.long), 3).float()
    assert abs(system.real(one, one)["balance"].item()) < 1e-6
    unsure = system.real(torch.zeros(12, 3), torch.zeros(12, 3))
    assert [unsure[name].item() for name in REAL] == pytest.approx([-math.log(3), math.log(3), math.log(3)])


def test_stability_moves_the_changed_row_towards_the_row_and_not_back():
    system = tacit.ClusterGAN(n_clusters=3, beta_s=1.0)
    row, changed = (t.requires_grad_(True) for t in (torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([[0.0, 1.0, 0.0]])))
    to_row, to_changed = torch.autograd.grad(system.real(row, changed)["stability"], (row, changed), allow_unused=True)
    assert to_row is None or to_row.abs().max() == 0
    torch.testing.assert_close(to_changed, changed.softmax(1) - row.softmax(1))


def test_entropy():
    p = torch.tensor([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])
    torch.testing.assert_close(entropy(p), torch.tensor([1.5 * math.log(2), 0.0]))
    half = tacit.ClusterGAN(n_clusters=3).real(*(torch.zeros(4, 3, dtype=torch.bfloat16),) * 2)
    assert all(v.dtype == torch.float32 for v in half.values())


# ---------------------------------------------------------------------- the latent, and what is read from it


def test_join_split_and_embed_are_each_others_inverses():
    prior = tacit.OneHotGaussian(4, 3, 0.2)
    z = prior.sample(50, Rng(0))
    flat = prior.join(z)
    torch.testing.assert_close(flat, torch.cat([z.continuous, one_hot(z.categorical, 4).float()], 1))
    code = prior.split(flat)
    assert torch.equal(code.continuous, z.continuous) and torch.equal(code.logits.argmax(1), z.categorical)
    torch.testing.assert_close(prior.embed(MixedCode(code.continuous, 200 * code.logits)), flat)
    g = torch.randn(6, 7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(prior.embed(prior.split(g)), torch.cat([g[:, :3], g[:, 3:].softmax(1)], 1))


def test_uses():
    system, n, _ = game()
    code = n.E(X)
    want = torch.cat([code[:, :2], code[:, 2:].softmax(1)], 1)
    torch.testing.assert_close(system.encode(n, X, Rng(0)), want)
    assert torch.equal(system.cluster(n, X, Rng(0)), code[:, 2:].argmax(1))
    torch.testing.assert_close(system.reconstruct(n, X, Rng(0)), n.G(want))
    torch.testing.assert_close(system.decode(n, want, Rng(0)), n.G(want))
    torch.testing.assert_close(system.sample(n, 5, Rng(3)), n.G(system.latents.sample(5, Rng(3))))


def test_three_far_groups_become_three_clusters():
    g = torch.Generator().manual_seed(0)
    y = torch.arange(300) % 3
    x = 4 * torch.eye(4)[y] + 0.2 * torch.randn(300, 4, generator=g)
    networks = tacit.MLP(widths=(32,))
    system = tacit.ClusterGAN(n_clusters=3, latent_dim=2, networks=networks)
    model = tacit.fit(system, x.numpy(), steps=400, precision="float32", ema=0.9)
    assert float(tacit.metrics.accuracy(y.numpy(), model.cluster(x.numpy()))) > 0.97


@pytest.mark.parametrize("wrong", [{"beta_s": -0.1}, {"real_after": 1.5}])
def test_weights_without_a_meaning_are_refused(wrong):
    with pytest.raises(tacit.InputError, match="mend the one that is not"):
        tacit.ClusterGAN(**wrong)


def test_more_clusters_than_rows_and_fewer_than_two_are_refused():
    with pytest.raises(tacit.InputError, match="n_clusters=10 for 9 rows"):
        tacit.ClusterGAN().check(SPEC, 9)
    with pytest.raises(tacit.InputError, match="n_clusters=1; expected 2 or more"):
        tacit.ClusterGAN(n_clusters=1)
