"""The bound and its terms, where everything is known in closed form."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import Tensor, nn
from torch.distributions import Bernoulli, Normal

import tacit
from tacit.core import Nets, Rng
from tacit.core.game import Round
from tacit.data import Spec
from tacit.systems.autoencoders.vae import Likelihood, kl_to_standard, posterior

LINEAR = tacit.MLP(widths=())


@pytest.mark.parametrize(("mu", "log_var"), [(0.0, 0.0), (1.3, -2.0), (-0.4, 1.1), (2.0, 0.5)])
def test_kl_is_its_integral(mu, log_var):
    q, p = stats.norm(mu, math.exp(log_var / 2)), stats.norm()
    want = integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), -30, 30, limit=200)[0]
    got = kl_to_standard(*(torch.tensor([[v]], dtype=torch.float64) for v in (mu, log_var)))
    assert got.item() == pytest.approx(want, abs=1e-8)


def test_kl_adds_over_columns_and_is_torchs():
    g = torch.Generator().manual_seed(0)
    mu, log_var = (torch.randn(6, 4, generator=g) for _ in range(2))
    want = torch.distributions.kl_divergence(Normal(mu, (log_var / 2).exp()), Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(kl_to_standard(mu, log_var), want)
    assert kl_to_standard(torch.zeros(1, 3), torch.zeros(1, 3)).item() == 0


def likelihood(kind: str, sigma: float = 0.3) -> tuple[Likelihood, Tensor, Tensor]:
    torch.manual_seed(0)
    spec = Spec(shape=(1, 3, 2), kind="image", bounded=kind == "bernoulli")
    net = Likelihood(tacit.MLP(widths=(5,)).decoder(2, spec), kind, sigma).double()
    g = torch.Generator().manual_seed(1)
    return net, torch.randn(7, 2, generator=g).double(), torch.rand(7, 1, 3, 2, generator=g).double()


@pytest.mark.parametrize("binary", [True, False])
def test_bernoulli(binary):
    net, z, x = likelihood("bernoulli")
    x = x.round() if binary else x
    p = Bernoulli(net(z), validate_args=False)
    torch.testing.assert_close(net(z, x), p.log_prob(x).sum((1, 2, 3)))
    assert ((net(z) > 0) & (net(z) < 1)).all()


@pytest.mark.parametrize("sigma", [0.05, 0.3, 2.0])
@pytest.mark.parametrize("kind", ["gaussian", "gaussian-learned"])
def test_gaussian(kind, sigma):
    net, z, x = likelihood(kind, sigma)
    if kind == "gaussian-learned":
        assert net.log_sigma.item() == 0
        nn.init.constant_(net.log_sigma, math.log(sigma))
    torch.testing.assert_close(net(z, x), Normal(net(z), sigma).log_prob(x).sum((1, 2, 3)), rtol=1e-6, atol=1e-6)


def test_a_small_standard_deviation_is_kept():
    net, z, _ = likelihood("gaussian", 1e-4)
    x = net(z).detach() + 1e-4
    torch.testing.assert_close(net(z, x), Normal(net(z), 1e-4).log_prob(x).sum((1, 2, 3)), rtol=1e-6, atol=1e-6)


# ---------------------------------------------------------------------- linear and Gaussian: log p(x) is known

SIGMA = 0.5
V = torch.tensor([[1.0, 0.5], [-1.0, 0.5], [0.5, 0.0]], dtype=torch.float64)
"""x = Vz + b + σε, with orthogonal columns, so that the posterior's covariance is diagonal."""
B = torch.tensor([0.3, -0.2, 1.0], dtype=torch.float64)
X = B + 1.5 * torch.randn(5, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
S = 1 / (1 + V.square().sum(0) / SIGMA**2)
LOG_P = torch.from_numpy(stats.multivariate_normal(B.numpy(), (V @ V.T + SIGMA**2 * torch.eye(3)).numpy()).logpdf(X.numpy()))


@dataclass(frozen=True, kw_only=True)
class Unscaled(tacit.VAE):
    """Of data as they are."""

    scale: ClassVar[str] = "none"


def linear(**options: Any) -> tuple[tacit.VAE, Nets]:
    """The model above, its encoder the exact posterior N(S·Vᵀ(x − b)/σ², S)."""
    system = tacit.VAE(latent_dim=2, likelihood="gaussian", sigma=SIGMA, networks=LINEAR, **options)
    n = Nets(system.nets(Spec(shape=(3,))))
    for m in n.modules().values():
        m.double().requires_grad_(False)
    encoder, decoder = n.E[1], n.D.decoder[0]
    decoder.weight.copy_(V)
    decoder.bias.copy_(B)
    encoder.weight.copy_(torch.cat([S[:, None] * V.T / SIGMA**2, torch.zeros(2, 3)]))
    encoder.bias.copy_(torch.cat([-S * (V.T @ B) / SIGMA**2, S.log()]))
    return system, n


def expected(system: tacit.VAE, n: Nets, x: Tensor) -> Tensor:
    """E_ε of the loss's terms by Gauss and Hermite, exact for the squares in them; minus their sum, one row at a time."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(4)
    weights = weights / weights.sum()
    total = torch.zeros(len(x), dtype=torch.float64)
    for (a, u), (b, v) in itertools.product(zip(nodes, weights, strict=True), repeat=2):
        eps = torch.tensor([[a, b]], dtype=torch.float64)
        for i in range(len(x)):
            total[i] -= u * v * sum(t.item() for t in system.loss(n, Round(x=x[i : i + 1], eps=eps)).values())
    return total


def test_the_bound_is_log_p_at_the_exact_posterior():
    system, n = linear()
    assert V[:, 0] @ V[:, 1] == 0
    torch.testing.assert_close(expected(system, n, X), LOG_P, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("seed", range(3))
def test_elsewhere_it_is_below_by_the_divergence_of_the_posteriors(seed):
    system, n = linear()
    exact = posterior(n.E(X))
    g = torch.Generator().manual_seed(seed)
    n.E[1].weight += 0.3 * torch.randn(4, 3, generator=g, dtype=torch.float64)
    n.E[1].bias += 0.3 * torch.randn(4, generator=g, dtype=torch.float64)
    q, p = (Normal(mu, (log_var / 2).exp()) for mu, log_var in (posterior(n.E(X)), exact))
    gap = torch.distributions.kl_divergence(q, p).sum(1)
    bound = expected(system, n, X)
    assert (bound < LOG_P).all()
    torch.testing.assert_close(LOG_P - bound, gap, rtol=1e-7, atol=1e-7)


def test_score_is_the_bound_on_average_and_each_rows_own():
    system, n = linear(beta=7.0)
    n.E[1].bias += 0.2
    bound = expected(linear()[0], n, X)
    scores = torch.stack([system.score(n, X, Rng(seed)) for seed in range(400)])
    assert ((scores.mean(0) - bound).abs() < 4 * scores.std(0) / 20).all()
    torch.testing.assert_close(system.score(n, X[2:3], Rng(7)), scores[7, 2:3])


def test_beta_weighs_the_divergence_alone():
    r = Round(x=X, eps=torch.zeros(5, 2, dtype=torch.float64))
    (one, n), (four, _) = linear(), linear(beta=4.0)
    a, b = one.loss(n, r), four.loss(n, r)
    assert a["likelihood"] == b["likelihood"] and b["kl"].item() == pytest.approx(4 * a["kl"].item())
    assert a["kl"].item() == pytest.approx(kl_to_standard(*posterior(n.E(X))).mean().item())


def test_uses_are_the_means():
    system, n = linear()
    mu = (X - B) @ V / SIGMA**2 * S
    torch.testing.assert_close(system.encode(n, X, Rng(0)), mu)
    torch.testing.assert_close(system.reconstruct(n, X, Rng(0)), mu @ V.T + B)
    torch.testing.assert_close(system.decode(n, mu, Rng(0)), mu @ V.T + B)
    rng = Rng(4)
    rng.dtype = torch.float64
    x = system.sample(n, 20_000, rng)
    torch.testing.assert_close(x.mean(0), B, rtol=0, atol=0.05)
    torch.testing.assert_close(torch.cov(x.T), V @ V.T, rtol=0, atol=0.06)


def test_wide_log_variances_are_held():
    mu, log_var = posterior(torch.tensor([[1.0, 50.0], [2.0, -50.0]]))
    assert mu.tolist() == [[1.0], [2.0]] and log_var.tolist() == [[20.0], [-20.0]]
    assert posterior(torch.zeros(1, 2, dtype=torch.bfloat16))[0].dtype == torch.float32


def test_training_reaches_log_p():
    """Fitted to samples of the model above, sigma given: the bound comes within .05 nat of the truth's log p."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 2)) @ V.numpy().T + B.numpy() + SIGMA * rng.normal(size=(2000, 3))
    x = x.astype(np.float32)
    rule = tacit.Adam(2e-2, (0.9, 0.999), schedule="cosine")
    system = Unscaled(latent_dim=2, likelihood="gaussian", sigma=SIGMA, networks=LINEAR, rule=rule)
    model = tacit.fit(system, x, steps=500, batch_size=256, precision="float32")
    truth = stats.multivariate_normal(B.numpy(), (V @ V.T + SIGMA**2 * torch.eye(3)).numpy()).logpdf(x).mean()
    bound = np.mean([model.score(x, seed=s).mean() for s in range(4)])
    assert truth - 0.05 < bound < truth + 0.02


def test_refusals():
    with pytest.raises(tacit.InputError, match=r"Bernoulli likelihood got data that is not in \[0, 1\]"):
        tacit.VAE(likelihood="bernoulli").check(Spec(shape=(3,)), 10)
    for wrong in ({"sigma": 0.0}, {"beta": -1.0}, {"latent_dim": 0}):
        with pytest.raises(tacit.InputError, match=r"expected latent_dim >= 1, sigma > 0, beta >= 0"):
            tacit.VAE(**wrong)
    with pytest.raises(tacit.InputError, match="likelihood='laplace'"):
        tacit.VAE(likelihood="laplace")
