"""Adversarial autoencoders: every term by hand, what each move may touch, and codes that become what they are told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, softplus

import tacit
from support import make_vectors
from tacit.core import Nets, Rng
from tacit.core.game import Round
from tacit.data import Spec
from tacit.metrics import accuracy, two_sample_test

SPEC = Spec(shape=(4,))
X = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))
MLP = tacit.MLP(widths=(7,))
SMALL: dict[str, Any] = {"networks": MLP, "critic_networks": MLP}


class Rows:
    """A batch of rows."""

    def __init__(self, x: Tensor, y: Tensor | None = None):
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)


def game(system: Any, batch: Any = None) -> tuple[Nets, Round]:
    torch.manual_seed(0)
    n = Nets(system.nets(SPEC), system.memory(SPEC))
    r = system.draw(n, batch or Rows(X), Rng(1), n.memory)
    r.__dict__.update(memory=n.memory, step=0, progress=0.5, size=12)
    return n, r


def test_the_plain_game_by_hand():
    system = tacit.AAE(prior=tacit.priors.Petals(), noise=0.3, stochastic=True, **SMALL)
    n, r = game(system)
    mu, log_var = n.E(X + 0.3 * r.noise).chunk(2, 1)
    z = mu + (log_var / 2).exp() * r.e
    torch.testing.assert_close(system.autoencoder(n, r)["reconstruction"], (n.G(z) - X).square().sum() / 48)
    got = system.critic(n, r)
    torch.testing.assert_close(got["adversarial"], softplus(-n.D(r.z)).mean() + softplus(n.D(z)).mean())
    assert got["penalty"] == 0
    torch.testing.assert_close(system.generator(n, r)["adversarial"], softplus(-n.D(z)).mean())
    torch.testing.assert_close(system.encode(n, X, Rng(0)), n.E(X)[:, :2])
    assert [p.owns for p in system.players()] == [("E",), ("G",), ("D",), ("E",)]
    assert [t.names for t in system.phases()[0].turns] == [("encoder", "decoder"), ("critic",), ("generator",)]


def test_a_code_in_two_pieces_by_hand():
    system = tacit.ClusterAAE(n_clusters=3, latent_dim=2, sigma=0.5, stability=0.7, **SMALL)
    n, r = game(system)
    z, y = n.E(X)[:, :2], n.E(X)[:, 2:].softmax(1)
    torch.testing.assert_close(system.autoencoder(n, r)["reconstruction"], (n.G(torch.cat([z, y], 1)) - X).square().mean())
    one_hot = torch.eye(3)[r.z.categorical]
    got = system.critic(n, r)
    torch.testing.assert_close(got["categorical adversarial"], softplus(-n.C(one_hot)).mean() + softplus(n.C(y)).mean())
    torch.testing.assert_close(got["continuous adversarial"], softplus(-n.D(r.z.continuous)).mean() + softplus(n.D(z)).mean())
    got = system.generator(n, r)
    torch.testing.assert_close(got["categorical"], softplus(-n.C(y)).mean())
    torch.testing.assert_close(got["continuous"], softplus(-n.D(z)).mean())
    changed = n.E(X + 0.1 * r.t)[:, 2:].log_softmax(1)
    torch.testing.assert_close(got["stability"], -0.7 * (y.detach() * changed).sum() / 12)
    assert r.z.continuous.std().item() == pytest.approx(0.5, rel=0.5)
    assert torch.equal(system.cluster(n, X, Rng(0)), y.argmax(1))
    assert "stability" not in tacit.ClusterAAE(n_clusters=3, latent_dim=2, stability=0.0, **SMALL).generator(n, r)


def test_the_gradient_of_stability_is_that_of_the_changed_row_alone():
    system = tacit.ClusterAAE(n_clusters=3, latent_dim=2, stability=1.0, **SMALL)
    n, r = game(system)
    got = torch.autograd.grad(system.generator(n, r)["stability"], list(n.E.parameters()))
    p = n.E(X)[:, 2:].softmax(1).detach()
    want = torch.autograd.grad(-(p * n.E(X + 0.1 * r.t)[:, 2:].log_softmax(1)).sum() / 12, list(n.E.parameters()))
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a, b)


def test_no_category_is_ahead_at_first():
    n, _ = game(tacit.ClusterAAE(n_clusters=3, latent_dim=2, **SMALL))
    n.E.net[-1].bias.data[2] += 50
    code = n.E(X)
    torch.testing.assert_close(code[:, 2:].mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(code[:, 2:].std(0, unbiased=False), torch.full((3,), 2.0), atol=1e-2, rtol=0)
    torch.testing.assert_close(code[:, :2], n.E.net(X)[:, :2])
    n, _ = game(tacit.ClusterAAE(n_clusters=3, latent_dim=2, even=False, **SMALL))
    n.E[-1].bias.data[2] += 50
    assert (n.E(X)[:, 2:].argmax(1) == 0).all()


def test_summed_codes_by_hand():
    system = tacit.ClusterAAE(n_clusters=3, latent_dim=2, summed=True, apart=2.0, **SMALL)
    n, r = game(system)
    z, y = n.E(X)[:, :2], n.E(X)[:, 2:].softmax(1)
    heads = n.W.weight.T
    code = z + y @ heads
    got = system.autoencoder(n, r)
    torch.testing.assert_close(got["reconstruction"], (n.G(code) - X).square().mean())
    far = [max(0.0, 2.0 - (heads[i] - heads[j]).norm().item()) for i in range(3) for j in range(i)]
    assert got["heads"].item() == pytest.approx(sum(far) / 3, rel=1e-5)
    torch.testing.assert_close(system.encode(n, X, Rng(0)), code)
    assert system.decode(n, code, Rng(0)).shape == X.shape and system.sample(n, 3, Rng(0)).shape == (3, 4)


def test_labels_by_hand():
    system = tacit.SemiSupervisedAAE(n_classes=3, latent_dim=2, noise=0.2, **SMALL)
    y = torch.arange(12) % 3
    batch = type("Both", (), {"x": Rows(X), "labelled": Rows(X.flip(0), y), "__len__": lambda self: 12})()
    n, r = game(system, batch)
    want = cross_entropy(n.E(X.flip(0) + 0.2 * r.known_noise)[:, 2:], y)
    torch.testing.assert_close(system.classifier(n, r)["labels"], want)
    assert system.phases()[0].turns[-1].names == ("classifier",)
    told = tacit.SupervisedAAE(n_classes=3, latent_dim=2, **SMALL)
    n, r = game(told, Rows(X, y))
    want = (n.G(torch.cat([n.E(X), torch.eye(3)[y]], 1)) - X).square().mean()
    torch.testing.assert_close(told.autoencoder(n, r)["reconstruction"], want)


def test_codes_come_to_follow_the_prior():
    x = np.random.default_rng(0).normal(size=(2000, 2)).astype(np.float32)
    prior = tacit.priors.SwissRoll(radius=1.0, turns=1.0, sigma=0.15)
    wide = tacit.MLP(widths=(32, 32))
    system = tacit.AAE(prior=prior, networks=wide, critic_networks=wide)
    want = prior.sample(500, Rng(5)).numpy()
    codes = {steps: tacit.fit(system, x, steps=steps, batch_size=64, seed=0, precision="float32").encode(x[:500]) for steps in (1, 300)}
    before, after = (two_sample_test(codes[k], want, permutations=20).statistic.value for k in (1, 300))
    assert after < 0.2 * before


def test_few_labels_name_the_classes():
    x, fresh = make_vectors(300), make_vectors(60, seed=1)
    y = np.arange(300) % 3
    nets = tacit.MLP(widths=(32,), critic_act="relu")
    rule = tacit.Adam(5e-3)
    system = tacit.SemiSupervisedAAE(n_classes=3, latent_dim=2, networks=nets, critic_networks=nets, classifier_rule=rule)
    model = tacit.fit(system, {"x": x, "labelled": (x[:9], y[:9])}, steps=100, batch_size=50, precision="float32")
    assert (model.predict(fresh) == np.arange(60) % 3).mean() > 0.8


def test_clusters_are_found_without_labels():
    x = make_vectors(600)
    nets = tacit.MLP(widths=(32,), critic_act="relu")
    system = tacit.ClusterAAE(
        n_clusters=3, latent_dim=2, networks=nets, critic_networks=nets, stability=3.0, augment=tacit.augmentations.Noise(0.5)
    )
    model = tacit.fit(system, x, steps=300, batch_size=50, precision="float32")
    assert accuracy(np.arange(600) % 3, model.cluster(x)).value > 0.8


@pytest.mark.parametrize(("make", "words"), [
    (lambda: tacit.AAE(noise=-1.0), "noise=-1.0"),
    (lambda: tacit.AAE(instance_noise=0.1), "instance_noise"),
    (lambda: tacit.AAE(objective=tacit.objectives.Wasserstein()), "Lipschitz"),
    (lambda: tacit.ClusterAAE(objective=tacit.objectives.Fisher()), "several"),
    (lambda: tacit.ClusterAAE(stability=-0.1), "stability=-0.1"),
    (lambda: tacit.ClusterAAE(n_clusters=1), "n_clusters=1"),
    (lambda: tacit.AAE(critic_networks=tacit.MLP(critic_norm="batch"), penalty=tacit.GradientNorm()), "row by row|each row's"),
])  # fmt: skip
def test_meaningless_compositions_are_refused(make, words):
    with pytest.raises(tacit.InputError, match=words):
        make()


def test_batch_normalisation_in_the_encoder_goes_with_a_penalty_on_the_critic():
    tacit.AAE(networks=tacit.MLP(critic_norm="batch"), penalty=tacit.GradientNorm())


@pytest.mark.parametrize("y", [None, np.array([0, 1, 3] * 4)])
def test_rows_without_a_label_are_refused_where_every_row_needs_one(y, tmp_path):
    x = make_vectors(12)
    with pytest.raises(tacit.InputError, match=r"the data has .* expected every row to have one from 0 to 2"):
        tacit.fit(tacit.SupervisedAAE(n_classes=3), x if y is None else (x, y), run=tmp_path / "run", steps=2)
    assert not (tmp_path / "run").exists()
