"""PixelCNN and PixelGAN as systems: exact scores, terms by hand, refusals."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import softplus

import tacit
from tacit.core import Nets, Rng
from tacit.data import Spec

TINY: dict[str, Any] = {"channels": 4, "layers": 2, "first_kernel": 3}
MLP = tacit.MLP(widths=(7,))


def test_the_score_is_a_distribution_and_comes_near_the_datas():
    """Pictures of 2 × 2 of which two are drawn: after the fit the exact masses of all 16 sum to 1, nearly all on those two."""
    shown = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 1]]], np.float32)
    x = shown[np.random.default_rng(0).integers(2, size=400)][:, None]
    model = tacit.fit(tacit.PixelCNN(**TINY, rule=tacit.Adam(1e-2)), x, steps=300, batch_size=40, precision="float32")
    every = np.array(list(product([0.0, 1.0], repeat=4)), np.float32).reshape(-1, 1, 2, 2)
    mass = np.exp(model.score(every).astype(np.float64))
    assert mass.sum() == pytest.approx(1.0, abs=1e-5)
    assert mass[[0b1001, 0b0111]].sum() > 0.95
    seen = {tuple(row.astype(int)) for row in model.sample(20).reshape(20, 4)}
    assert (1, 0, 0, 1) in seen and (0, 1, 1, 1) in seen


def game(system: Any) -> tuple[Nets, Any, torch.Tensor]:
    x = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    n = Nets(system.nets(Spec(shape=(1, 8, 8), kind="image", bounded=True)), system.memory(None))
    batch = type("Rows", (), {"x": x, "y": None, "__len__": lambda self: 6})()
    r = system.draw(n, batch, Rng(1), n.memory)
    r.__dict__.update(memory=n.memory, step=0, progress=0.5, size=6)
    return n, r, x


def test_the_terms_of_a_categorical_code_by_hand():
    system = tacit.ClusterPixelGAN(n_clusters=3, stability=0.5, networks=MLP, critic_networks=MLP, **TINY)
    n, r, x = game(system)
    y = n.E(x).softmax(1)
    torch.testing.assert_close(system.autoencoder(n, r)["reconstruction"], -n.P(x, y).sum() / 6)
    got = system.critic(n, r)["adversarial"]
    torch.testing.assert_close(got, softplus(-n.D(r.z)).mean() + softplus(n.D(y)).mean())
    assert torch.equal(r.z.sum(1), torch.ones(6)) and r.z.shape == (6, 3)
    torch.testing.assert_close(system.generator(n, r)["adversarial"], softplus(-n.D(y)).mean())
    changed = n.E(system.augment(x, r.t)).log_softmax(1)
    torch.testing.assert_close(system.generator(n, r)["stability"], -0.5 * (y.detach() * changed).sum() / 6)
    assert torch.equal(system.cluster(n, x, Rng(0)), y.argmax(1))


def test_a_gaussian_code_and_what_is_told_where():
    system = tacit.PixelGAN(prior=tacit.Gaussian(2), networks=MLP, critic_networks=MLP, **TINY)
    n, r, x = game(system)
    torch.testing.assert_close(system.autoencoder(n, r)["reconstruction"], -n.P(x, n.E(x)).mean())
    assert n.P.map is not None and game(tacit.ClusterPixelGAN(networks=MLP, critic_networks=MLP, **TINY))[0].P.map is None
    assert [p.owns for p in system.players()] == [("E",), ("P",), ("D",), ("E",)]


@pytest.mark.parametrize(("make", "words"), [
    (lambda: tacit.PixelCNN(levels=1), "levels=1"), (lambda: tacit.PixelCNN(kernel=4), "kernel=4"),
    (lambda: tacit.PixelGAN(layers=0), "layers=0"), (lambda: tacit.PixelGAN(conditioning="everywhere"), "conditioning='everywhere'"),
    (lambda: tacit.ClusterPixelGAN(n_clusters=1), "n_clusters=1"),
    (lambda: tacit.fit(tacit.PixelCNN(), "moons", steps=1), "expected pictures"),
    (lambda: tacit.fit(tacit.ClusterPixelGAN(), "moons", steps=1), "expected pictures"),
])  # fmt: skip
def test_meaningless_values_are_refused(make, words):
    with pytest.raises(tacit.InputError, match=words):
        make()
