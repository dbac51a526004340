"""A linear autoencoder is principal component analysis; the terms by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

import tacit
from tacit.core import Nets, Rng
from tacit.core.game import Round
from tacit.data import Spec


def test_a_linear_one_comes_to_the_error_of_pca():
    x = load_digits().data.astype(np.float32)
    rule = tacit.Adam(1e-2, (0.9, 0.999), schedule="cosine")
    system = tacit.Autoencoder(latent_dim=10, networks=tacit.MLP(widths=()), rule=rule)
    model = tacit.fit(system, x, steps=500, batch_size=256, precision="float32")
    assert not model.spec.bounded
    z = model.spec.prepare(x).numpy()
    pca = PCA(10).fit(z)
    least = np.square(z - pca.inverse_transform(pca.transform(z))).mean()
    error = np.square(z - model.reconstruct(x, raw=False)).mean()
    assert least * (1 - 1e-4) < error < 1.05 * least
    assert -model.score(x).mean() == pytest.approx(error, rel=1e-4)
    shares = np.linalg.svd(np.linalg.qr(model.encode(x) - model.encode(x).mean(0))[0].T @ np.linalg.qr(pca.transform(z))[0])[1]
    assert (shares > 0.5).sum() >= 9, "the code spans the components"


@pytest.mark.parametrize("noise", [0.0, 0.4])
def test_the_loss_by_hand(noise):
    system = tacit.Autoencoder(latent_dim=2, networks=tacit.MLP(widths=(5,)), noise=noise)
    torch.manual_seed(0)
    n = Nets(system.nets(Spec(shape=(4,))))
    g = torch.Generator().manual_seed(0)
    x, e = torch.randn(6, 4, generator=g), torch.randn(6, 4, generator=g)
    got = system.loss(n, Round(x=x, noise=e, t=torch.zeros(())))
    want = (n.D(n.E(x + noise * e)) - x).square().sum() / 24
    assert set(got) == {"reconstruction"}
    torch.testing.assert_close(got["reconstruction"], want)
    torch.testing.assert_close(system.score(n, x, Rng(0)), -(n.D(n.E(x)) - x).square().mean(1))


def test_noise_is_drawn_only_where_it_is_used():
    batch, rng = Round(x=torch.zeros(80, 3)), Rng(0)
    before = rng.state()
    tacit.Autoencoder().draw(None, batch, rng, {})
    assert torch.equal(rng.state(), before)
    assert tacit.Autoencoder(noise=0.1).draw(None, batch, rng, {}).noise.std().item() == pytest.approx(1, abs=0.2)


def test_refusals():
    for wrong in ({"latent_dim": 0}, {"noise": -0.1}):
        with pytest.raises(tacit.InputError, match="expected latent_dim >= 1 and noise >= 0"):
            tacit.Autoencoder(**wrong)
