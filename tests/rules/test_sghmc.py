"""Stochastic gradient Hamiltonian Monte Carlo draws from the posterior that is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import tacit
from tacit.core import Phase, Player, Round, Turn
from tacit.rules import SGHMC


class Means(nn.Module):
    """Many chains at once: every weight is a chain of its own."""

    def __init__(self, chains: int):
        super().__init__()
        self.mu = nn.Parameter(torch.zeros(chains))


@dataclass(frozen=True, kw_only=True)
class GaussianMean(tacit.System):
    """U/N = E(x − μ)²/2 + μ²/(2·s²·N): the posterior of a Gaussian's mean. Chen et al. 2014, arXiv:1402.4102."""

    n_data: int
    prior_sd: float
    rule: tacit.core.Rule
    chains: int = 4000

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        return {"M": Means(self.chains)}

    def draw(self, n, batch, rng, memory):
        return Round(x=batch.x)

    def players(self):
        return (Player("sampler", owns=("M",), loss=self.loss),)

    def loss(self, n, r):
        mu = n.M.mu
        return {
            "likelihood": 0.5 * (r.x - mu).square().mean(0).sum(),
            "prior": mu.square().sum() / (2 * self.prior_sd**2 * self.n_data),
        }

    def phases(self):
        return (Phase(Turn("sampler", self.rule)),)

    def encode(self, n, x, rng):
        return x


def test_it_recovers_a_gaussian_posterior():
    n, sd = 50, 0.3
    x = np.random.default_rng(0).normal(2.0, 1.0, (n, 1)).astype(np.float32)
    rule = SGHMC(lr=2e-3, friction=0.1, temperature=1 / n)
    system = GaussianMean(n_data=n, prior_sd=sd, rule=rule)
    model = tacit.fit(system, tacit.data.load(x), steps=700, batch_size=n, precision="float32", seed=1)
    scaled = model.spec.prepare(x)
    precision = n + 1 / sd**2
    draws = model.nets.M.mu.detach()
    want_mean, want_var = float(scaled.sum() / precision), 1 / precision
    # The spread of 4,000 independent draws: 1.6 % of σ in the mean, 2.2 % in the variance.
    assert float(draws.mean()) == pytest.approx(want_mean, abs=0.05 * want_var**0.5 + 0.05 * abs(want_mean))
    assert float(draws.var()) == pytest.approx(want_var, rel=0.05)


def test_without_temperature_it_is_descent_with_momentum():
    w = nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    stepper = SGHMC(lr=0.1, friction=0.3, temperature=0.0).bind([[w]])
    v, theta = torch.zeros(2, dtype=torch.float64), w.detach().clone()
    with torch.no_grad():
        for _ in range(5):
            stepper.step(lambda: [2 * w.detach()])
            v = 0.7 * v - 0.1 * 2 * theta
            theta = theta + v
    assert torch.allclose(w.detach(), theta)


@pytest.mark.parametrize("bad", [{"lr": 0.0}, {"friction": 0.0}, {"friction": 1.1}, {"temperature": -1.0}])
def test_impossible_settings_are_refused(bad):
    with pytest.raises(tacit.InputError, match=r"SGHMC got .* expected lr > 0"):
        SGHMC(**bad)
