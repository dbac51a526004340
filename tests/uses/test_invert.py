"""Back-propagation decoding: known answers, its parts by hand, and what it must refuse."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import tacit
from tacit.core import Rng
from tacit.uses.invert import invert

PRIOR = tacit.OneHotGaussian(4, 5, 0.1)


def network(prior: tacit.core.Prior, d: int = 60) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(prior.dim, 40), nn.Tanh(), nn.Linear(40, d))


@pytest.mark.parametrize("prior", [tacit.Gaussian(6), tacit.Uniform(6), tacit.Mixture(3, 6)], ids=lambda p: p.name)
def test_plain_finds_the_latents_of_generated_rows(prior):
    G, z = network(prior), prior.sample(16, Rng(0))
    found = invert(G, G(z).detach(), prior, steps=300)
    assert ((found.codes - z).norm(dim=1) / z.norm(dim=1)).max() < 0.1 and found.loss.max() < 1e-2
    assert found.category.tolist() == [-1] * 16


def test_modified_finds_the_latents_and_the_categories_of_generated_rows():
    z = PRIOR.sample(24, Rng(0))
    flat, G = PRIOR.join(z), network(PRIOR)
    found = invert(G, G(flat).detach(), PRIOR, form="modified", starts=1, weight=0.01)
    assert torch.equal(found.category, z.categorical)
    assert ((found.codes - flat).norm(dim=1) / flat.norm(dim=1)).max() < 0.1
    hot = found.codes[:, 5:]
    assert torch.equal(hot.sum(1), torch.ones(24)) and set(hot.unique().tolist()) == {0.0, 1.0}


def test_the_least_of_the_modified_loss_by_hand():
    """G(z) = (z_n, z_c) stretched: |z_n − x| + λ|z_n| is least at x for λ < 1, at 0 for λ > 1, and clipped at c."""
    prior = tacit.OneHotGaussian(2, 1, 0.1)
    x = torch.tensor([[0.3, 1.0, 0.0], [2.0, 0.0, 1.0]])
    near = invert(lambda z: z, x, prior, form="modified", starts=1, weight=0.5, lr=0.02, steps=400)
    assert near.category.tolist() == [0, 1]
    torch.testing.assert_close(near.codes[:, 0], torch.tensor([0.3, 0.6]), atol=2e-3, rtol=0)
    torch.testing.assert_close(near.loss, torch.tensor([0.15, 1.4 + 0.3]), atol=5e-3, rtol=0)
    far = invert(lambda z: z, x, prior, form="modified", starts=1, weight=2.0, lr=0.02, steps=400, clip=0.25)
    torch.testing.assert_close(far.codes[:, 0], torch.zeros(2), atol=2e-3, rtol=0)
    wide = invert(lambda z: z, x, prior, form="modified", starts=1, weight=0.0, clip=3.0, steps=400)
    torch.testing.assert_close(wide.codes[:, 0], torch.tensor([0.3, 2.0]), atol=2e-3, rtol=0)


def test_a_rows_answer_does_not_depend_on_the_others():
    G, x = network(PRIOR), torch.randn(9, 60, generator=torch.Generator().manual_seed(1))
    for form in ("plain", "modified"):
        whole = invert(G, x, PRIOR, form=form, steps=30, starts=2, rng=Rng(3))
        for at_once in (1, 17):
            parts = invert(G, x, PRIOR, form=form, steps=30, starts=2, rng=Rng(3), at_once=at_once)
            torch.testing.assert_close(parts.codes, whole.codes, atol=1e-4, rtol=1e-3)
            assert torch.equal(parts.category, whole.category)
        alone = invert(G, x[4:5], PRIOR, form=form, steps=30, starts=2, rng=Rng(3))
        torch.testing.assert_close(alone.codes[0], whole.codes[4], atol=1e-4, rtol=1e-3)


def test_more_starts_are_never_worse_and_the_best_is_kept():
    """Rings of ‖z‖ = 1, 2, 3, … are all basins; that of 2 is the deepest, and one start may miss it."""
    prior, x = tacit.Gaussian(2, 2.0), torch.zeros(5, 1)

    def G(z: torch.Tensor) -> torch.Tensor:
        r = z.norm(dim=1, keepdim=True)
        return (torch.pi * r).sin().abs() + 0.3 * (r - 2).abs()

    losses = torch.stack([invert(G, x, prior, starts=k, steps=100, lr=0.01, rng=Rng(1)).loss for k in (1, 4, 32)])
    assert losses[0].min() > 0.05 and losses[2].max() < 1e-3
    assert (losses[1:] <= losses[:-1] + 1e-6).all()


def test_from_the_encoder():
    prior = tacit.Gaussian(6)
    G, z = network(prior), prior.sample(8, Rng(0))
    x, off = G(z).detach(), z + 0.05 * Rng(9).normal(8, 6)
    found = invert(G, x, prior, encoded=off, steps=150, lr=0.02)
    assert (found.codes - z).norm(dim=1).max() < (off - z).norm(dim=1).min() / 4
    assert torch.allclose(invert(G, x, encoded=off, steps=150, lr=0.02).codes, found.codes)
    still = invert(G, x, prior, encoded=z, steps=1, lr=1e-9)
    torch.testing.assert_close(still.codes, z, atol=1e-6, rtol=0)
    flat = PRIOR.join(PRIOR.sample(8, Rng(0)))
    G = network(PRIOR)
    wrong = torch.cat([flat[:, :5], flat[:, 5:].roll(1, 1)], 1)
    found = invert(G, G(flat).detach(), PRIOR, form="modified", encoded=wrong, weight=0.01)
    assert torch.equal(found.category, flat[:, 5:].argmax(1)), "every category is tried, whatever the encoder says"


def test_polish_arrives_where_descent_does_not():
    """Along its steepest direction this generator is a thousand times as steep as along its flattest."""
    prior = tacit.OneHotGaussian(3, 6, 0.1)
    inner, turn = network(tacit.Gaussian(6)), torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(0)))[0]

    def G(z: torch.Tensor) -> torch.Tensor:
        return inner(z[:, :6] @ turn * torch.logspace(0, -3, 6)) + 3 * z[:, 6:] @ torch.eye(3, 60)

    z = prior.join(prior.sample(12, Rng(0)))
    x = G(z).detach()

    def away(form: str, polish: int, at_once: int = 4096) -> torch.Tensor:
        found = invert(G, x, prior, form=form, starts=1, steps=100, weight=1e-3, polish=polish, at_once=at_once)
        assert found.loss.isfinite().all()
        return (found.codes - z)[:, :6].norm(dim=1) / z[:, :6].norm(dim=1)

    assert away("modified", 0).median() > 0.3 and away("modified", 25).max() < 0.1
    torch.testing.assert_close(away("modified", 25, at_once=20), away("modified", 25), atol=1e-2, rtol=0)
    plain = invert(inner, inner(z[:, :6]).detach(), tacit.Gaussian(6), starts=1, steps=20, polish=25)
    assert (plain.codes - z[:, :6]).norm(dim=1).max() < 1e-2 and not plain.codes.requires_grad


def test_polish_is_least_squares_and_keeps_to_the_box():
    g = torch.Generator().manual_seed(0)
    a, x = torch.randn(3, 8, generator=g), torch.randn(5, 8, generator=g)
    found = invert(lambda z: z @ a, x, tacit.Gaussian(3), starts=1, steps=1, lr=1e-6, polish=40).codes
    torch.testing.assert_close(found, x @ torch.linalg.pinv(a), atol=1e-4, rtol=1e-4)
    prior = tacit.OneHotGaussian(2, 1, 0.1)
    boxed = invert(lambda z: z, torch.tensor([[2.0, 0.0, 1.0]]), prior, form="modified", starts=1, steps=5, weight=0.0, polish=5)
    assert boxed.codes[0, 0].item() == pytest.approx(0.6) and boxed.category.tolist() == [1]


def test_weights_and_their_gradients_are_left_alone():
    G = network(PRIOR)
    before = [p.clone() for p in G.parameters()]
    invert(G, torch.zeros(2, 60), PRIOR, steps=5)
    assert all(torch.equal(a, b) for a, b in zip(before, G.parameters(), strict=True)) and all(p.grad is None for p in G.parameters())


X = torch.zeros(3, 60)


@pytest.mark.parametrize(("options", "reason"), [
    ({"form": "other"}, "form='other'"), ({"steps": 0}, "steps=0"), ({"starts": 0}, "starts=0"), ({"lr": 0.0}, "lr=0.0"),
    ({"clip": -1.0}, "clip=-1.0"),
    ({"polish": -1}, "polish=-1"), ({"weight": -1.0}, "weight=-1.0"), ({"encoded": torch.zeros(3, 7)}, "width 9"),
    ({"encoded": torch.zeros(2, 9)}, "for 3 rows"), ({"prior": None}, "start at the encoder"),
    ({"prior": None, "form": "modified", "encoded": torch.zeros(3, 9)}, "start at the encoder"),
])  # fmt: skip
def test_what_cannot_be_inverted_is_refused(options, reason):
    with pytest.raises(tacit.InputError, match=reason):
        invert(network(PRIOR), X, **{"prior": PRIOR, **options})


# ---------------------------------------------------------------------- by a model


@pytest.fixture(scope="module")
def models() -> dict[str, tacit.Model]:
    x = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)
    mlp, run = tacit.MLP(widths=(24,)), {"steps": 20, "precision": "float32"}
    return {
        "clustergan": tacit.ClusterGAN(n_clusters=3, latent_dim=2, networks=mlp).fit(x, **run),
        "gan": tacit.GAN(prior=tacit.Gaussian(3), networks=mlp).fit(x, **run),
        "vae": tacit.VAE(latent_dim=3, networks=mlp).fit(x, **run),
        "autoencoder": tacit.Autoencoder(latent_dim=3, networks=mlp).fit(x, **run),
        "kmeans": tacit.KMeans(n_clusters=3).fit(x),
    }


def test_every_system_that_decodes_is_inverted(models):
    x = np.random.default_rng(1).normal(size=(7, 6)).astype(np.float32)
    options = {"steps": 40}
    for name, start in (("clustergan", "prior"), ("clustergan", "encoder"), ("gan", "prior"), ("vae", "prior"), ("autoencoder", "encoder")):
        model = models[name]
        found = model.invert(x, start=start, options=options)
        assert found.codes.shape == (7, {"clustergan": 5}.get(name, 3)) and found.loss.shape == found.category.shape == (7,)
        again = model.decode(found.codes, raw=False)
        off = again - model.spec.prepare(x).numpy()
        if name == "clustergan":
            assert set(found.category) <= {0, 1, 2} and np.array_equal(found.codes[:, 2:].argmax(1), found.category)
            assert abs(found.codes[:, :2]).max() <= 0.6 + 1e-6
            want = abs(off).sum(1) + 0.1 * np.linalg.norm(found.codes[:, :2], axis=1)
        else:
            assert (found.category == -1).all()
            want = np.square(off).sum(1)
            if start == "encoder":
                assert (found.loss < np.square(model.reconstruct(x, raw=False) - model.spec.prepare(x).numpy()).sum(1) + 1e-4).all()
        np.testing.assert_allclose(found.loss, want, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(model.invert(x[3:4], start=start, options=options).codes[0], found.codes[3], rtol=1e-2, atol=1e-3)


def test_a_model_says_why_it_cannot(models):
    x = np.zeros((2, 6), np.float32)
    with pytest.raises(tacit.NotSupported, match="cannot decode"):
        models["kmeans"].invert(x)
    with pytest.raises(tacit.NotSupported, match="cannot encode"):
        models["gan"].invert(x, start="encoder")
    with pytest.raises(tacit.InputError, match="start at the encoder"):
        models["autoencoder"].invert(x)
    with pytest.raises(tacit.InputError, match="start='middle'"):
        models["gan"].invert(x, start="middle")


def test_a_decoder_that_draws_its_rows_is_refused():
    with pytest.raises(tacit.InputError, match="without a gradient"):
        invert(lambda z: (z > 0).float(), torch.zeros(2, 3), tacit.Gaussian(3))


def test_a_model_interpolates(models):
    model = models["clustergan"]
    a, b = (model.system.latents.join(model.system.latents.sample(4, Rng(s))).numpy() for s in (0, 1))
    rows = model.interpolate(a, b, 5)
    assert rows.shape == (4, 5, 6)
    np.testing.assert_allclose(rows[:, 0], model.decode(a), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(rows[:, -1], model.decode(b), rtol=1e-4, atol=1e-5)
    line = model.interpolate(a, b, 5, how="linear")
    np.testing.assert_allclose(line[:, 2], model.decode((a + b) / 2), rtol=1e-4, atol=1e-5)
    assert models["autoencoder"].interpolate(np.zeros((1, 3)), np.ones((1, 3)), 3).shape == (1, 3, 6)
    with pytest.raises(tacit.InputError, match="the prior of these codes"):
        models["autoencoder"].interpolate(np.zeros((1, 3)), np.ones((1, 3)), how="prior")
    with pytest.raises(tacit.NotSupported, match="cannot decode"):
        models["kmeans"].interpolate(a, b)
