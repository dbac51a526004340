"""The mixture VAE's bound: Bayes' rule by scipy, every term against Monte Carlo, the score below the likelihood."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

import tacit
from support import make_vectors
from tacit.core import Nets, Rng, Round
from tacit.data import Spec
from tacit.metrics import accuracy
from tacit.systems.autoencoders.gmvae import drawn, kl_between, log_normal

K, H, W = 3, 2, 2
X = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def made(scale: float = 2.0, cut: float = 0.0, **options: Any) -> tuple[tacit.GMVAE, Nets]:
    nets = tacit.MLP(widths=(6,))
    system = tacit.GMVAE(n_clusters=K, latent_dim=H, style_dim=W, networks=nets, prior_networks=nets, min_information=cut, **options)
    torch.manual_seed(0)
    n = Nets(system.nets(Spec(shape=(4,))))
    for m in n.modules().values():
        m.double()
        for p in m.parameters():
            p.data.mul_(scale)
    return system, n


def density(h: Tensor, mu: Tensor, log_var: Tensor) -> np.ndarray:
    """N(h; μ, σ²) by scipy, ``(B,)``, of rows."""
    scale = (0.5 * log_var).exp().detach().numpy()
    return stats.norm.logpdf(h.detach().numpy(), mu.detach().numpy(), scale).sum(-1)


def test_the_posterior_is_bayes_rule():
    system, n = made()
    (h, _), (w, _) = system.inferred(n, X)
    mu, log_var = system.components(n, w)
    joint = np.stack([np.exp(density(h, mu[:, k], log_var[:, k])) / K for k in range(K)], 1)
    np.testing.assert_allclose(system.chances(n, X).detach().numpy(), joint / joint.sum(1, keepdims=True), rtol=1e-9)
    assert torch.equal(system.cluster(n, X, Rng(0)), torch.from_numpy(joint.argmax(1)))


def test_divergences_against_monte_carlo():
    g = torch.Generator().manual_seed(1)
    q = torch.randn(4, H, generator=g, dtype=torch.float64), 0.5 * torch.randn(4, H, generator=g, dtype=torch.float64)
    p = torch.randn(4, K, H, generator=g, dtype=torch.float64), 0.5 * torch.randn(4, K, H, generator=g, dtype=torch.float64)
    many = 100_000
    for b in range(4):
        one = q[0][b : b + 1], q[1][b : b + 1]
        h = drawn(one, torch.randn(many, H, generator=g, dtype=torch.float64))
        own = torch.from_numpy(density(h, *one))
        other = log_normal(h, p[0][b : b + 1], p[1][b : b + 1])
        difference = own.unsqueeze(1) - other
        error = difference.std(0) / math.sqrt(many)
        assert ((difference.mean(0) - kl_between(q, p)[b]).abs() < 5 * error).all()


def test_the_terms_by_monte_carlo():
    """The means of each term over many draws are the bound's four expectations, each summed here by definition."""
    system, n = made(1.0, likelihood="gaussian", sigma=0.7, draws=1000)
    with torch.no_grad():
        got = system.loss(n, Round(x=X, eps=torch.randn(5, 1000, H + W, generator=torch.Generator().manual_seed(2), dtype=torch.float64)))
        q_h, q_w = system.inferred(n, X)
        g = torch.Generator().manual_seed(3)
        found: dict[str, list[float]] = {k: [] for k in got}
        for _ in range(300):
            h = drawn(q_h, torch.randn(5, H, generator=g, dtype=torch.float64))
            w = drawn(q_w, torch.randn(5, W, generator=g, dtype=torch.float64))
            again = drawn(q_h, torch.randn(5, H, generator=g, dtype=torch.float64))
            mu, log_var = system.components(n, w)
            log_joint = np.stack([density(h, mu[:, k], log_var[:, k]) for k in range(K)], 1) - math.log(K)
            p = np.exp(log_joint - np.logaddexp.reduce(log_joint, 1)[:, None])
            apart = np.stack([density(again, *q_h) - density(again, mu[:, k], log_var[:, k]) for k in range(K)], 1)
            found["reconstruction"].append(-stats.norm.logpdf(X.numpy(), n.D(h).numpy(), 0.7).sum(1).mean())
            found["conditional prior"].append((p * apart).sum(1).mean())
            found["z prior"].append(np.mean([stats.entropy(row, np.full(K, 1 / K)) for row in p]))
            found["w prior"].append((density(w, *q_w) - stats.norm.logpdf(w.numpy()).sum(1)).mean())
    for name, values in found.items():
        error = np.std(values) / math.sqrt(len(values))
        assert abs(np.mean(values) - got[name].item()) < 6 * error + 1e-9, name


def test_the_cut_off_holds_the_z_prior_and_stops_its_gradient():
    system, n = made(cut=0.99)
    r = Round(x=X, eps=torch.randn(5, 1, H + W, generator=torch.Generator().manual_seed(2), dtype=torch.float64))
    held = system.loss(n, r)["z prior"]
    assert held.item() == pytest.approx(0.99 * math.log(K), abs=0.02)
    plain = made()[0].loss(n, r)["z prior"]
    assert plain.item() < held.item() and plain.item() <= math.log(K)


def test_the_score_is_a_lower_bound_on_the_likelihood():
    system, n = made(1.0, likelihood="gaussian", sigma=0.7)
    with torch.no_grad():
        g, many = torch.Generator().manual_seed(4), 200_000
        mu, log_var = system.components(n, torch.randn(many, W, generator=g, dtype=torch.float64))
        k = torch.randint(K, (many,), generator=g)
        h = drawn((mu[torch.arange(many), k], log_var[torch.arange(many), k]), torch.randn(many, H, generator=g, dtype=torch.float64))
        exact = torch.stack([n.D(h, x.expand(many, -1)).logsumexp(0) - math.log(many) for x in X])
        rng = Rng(0)
        rng.dtype = torch.float64
        bound = torch.stack([system.score(n, X, rng) for _ in range(60)]).mean(0)
    assert (bound < exact + 0.02).all()
    assert (exact - bound).max() < 5


def test_blobs_are_its_clusters():
    x = make_vectors(600)
    nets = tacit.MLP(widths=(32,), critic_act="relu")
    system = tacit.GMVAE(n_clusters=3, latent_dim=2, style_dim=2, networks=nets, prior_networks=nets)
    model = tacit.fit(system, x, steps=300, batch_size=50, precision="float32")
    assert accuracy(np.arange(600) % 3, model.cluster(x)).value > 0.8


@pytest.mark.parametrize("wrong", [
    {"n_clusters": 1}, {"min_information": 1.0}, {"min_information": -0.1}, {"draws": 0}, {"style_dim": 0}, {"sigma": 0.0},
    {"likelihood": "poisson"},
])  # fmt: skip
def test_meaningless_values_are_refused(wrong):
    with pytest.raises(tacit.InputError, match=f"{next(iter(wrong))}="):
        tacit.GMVAE(**wrong)


def test_a_bernoulli_likelihood_needs_bounded_data():
    with pytest.raises(tacit.InputError, match="Bernoulli"):
        tacit.fit(tacit.GMVAE(likelihood="bernoulli"), make_vectors(20), steps=1)
