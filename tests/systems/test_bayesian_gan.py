"""The Bayesian GAN's potentials against the formulas, its labels, its averaged prediction."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import logsigmoid

import tacit
from support import make_vectors
from tacit.core import Nets, Rng, Round

SPEC = tacit.data.Spec(shape=(6,), kind="vector")
PARTS = {"prior": tacit.Gaussian(3), "networks": tacit.MLP(widths=(12,))}
SEMI = tacit.systems.SemiSupervisedBayesianGAN


def test_every_head_descends_its_own_potential():
    system = tacit.BayesianGAN(**PARTS, n_generators=3, n_discriminators=2, n_data=40, sigma=0.5)
    torch.manual_seed(0)
    n = Nets(system.nets(SPEC))
    r = Round(x=torch.tensor(make_vectors(8)), z=system.prior.sample(8, Rng(0)))
    want = 0.0
    for G in n.G.heads:
        ell = torch.stack([logsigmoid(D(G(r.z))).mean() for D in n.D.heads])
        prior = -sum(w.square().sum() for w in G.parameters()) / (2 * 0.25)
        want = want - ((40 * ell).logsumexp(0) + prior) / 40
    assert torch.allclose(sum(system.generator(n, r).values()), want, atol=1e-5)
    want = 0.0
    for D in n.D.heads:
        ell = torch.stack([logsigmoid(-D(G(r.z))).mean() + logsigmoid(D(r.x)).mean() for G in n.G.heads])
        prior = -sum(w.square().sum() for w in D.parameters()) / (2 * 0.25)
        want = want - ((40 * ell).logsumexp(0) + prior) / 40
    assert torch.allclose(sum(system.critic(n, r).values()), want, atol=1e-5)


def test_with_labels_real_is_any_class_and_predictions_are_averaged():
    system = SEMI(**PARTS, n_classes=3, n_discriminators=2)
    torch.manual_seed(0)
    n = Nets(system.nets(SPEC))
    x = torch.tensor(make_vectors(8))
    out = n.D(x)
    assert out.shape == (2, 8, 4)
    real = out.softmax(-1)[..., 1:].sum(-1)
    assert torch.allclose(torch.sigmoid(system.odds(out)), real, atol=1e-6)
    mean = (out.softmax(-1)[..., 1:] / real[..., None]).mean(0)
    assert torch.equal(system.predict(n, x, Rng(0)), mean.argmax(-1))


def test_few_labels_name_the_classes():
    x, fresh = make_vectors(300), make_vectors(60, seed=1)
    y = np.arange(300) % 3
    rule = tacit.rules.SGHMC(lr=5e-3, temperature=1e-5)
    system = SEMI(**PARTS, n_classes=3, rule=rule, critic_rule=rule, n_generators=2, n_data=300)
    model = tacit.fit(system, {"x": x, "labelled": (x[:9], y[:9])}, steps=300, batch_size=50)
    assert (model.predict(fresh) == np.arange(60) % 3).mean() > 0.8


@pytest.mark.parametrize("y", [None, np.array([0, 1, -1] * 4), np.array([0, 1, 3] * 4)])
def test_labels_that_are_not_there_are_refused(y, tmp_path):
    x = make_vectors(12)
    with pytest.raises(tacit.InputError, match=r"the stream 'labelled' has .* expected every row to have one from 0 to 2"):
        tacit.fit(SEMI(n_classes=3), {"x": x, "labelled": x if y is None else (x, y)}, run=tmp_path / "run", steps=2)
    assert not (tmp_path / "run").exists()
