"""CatGAN and RIM: their terms against closed forms, what they ask for, and groups that they find."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

import tacit
from tacit.core import Nets, Rng, Round
from tacit.data import Spec
from tacit.systems import RIM, CatGAN, SemiSupervisedCatGAN

MLP = tacit.MLP(widths=(16,))
SPEC = Spec(shape=(6,))


class Logits(nn.Module):
    """A classifier of rows that are logits already."""

    def forward(self, x: Tensor) -> Tensor:
        return x


class Fixed(nn.Module):
    """A generator of the same rows every time."""

    def __init__(self, rows: Tensor):
        super().__init__()
        self.rows = rows

    def forward(self, z: Tensor) -> Tensor:
        return self.rows


def played(system: CatGAN, real: Tensor, fake: Tensor, **more) -> tuple[dict[str, float], dict[str, float]]:
    n = Nets({"D": Logits(), "G": Fixed(fake)})
    r = Round(x=real, z=fake, eps=None, t=torch.zeros_like(real), step=0, progress=0.0, memory={}, **more)
    return tuple({k: v.item() for k, v in loss(n, r).items()} for loss in (system.critic, system.generator))


SURE = 50.0 * one_hot(torch.arange(12) % 3).double()
ONE = 50.0 * one_hot(torch.zeros(12, dtype=torch.long), 3).double()
UNSURE = torch.zeros(12, 3, dtype=torch.float64)
LOG3 = math.log(3)


@pytest.mark.parametrize(("real", "fake", "critic", "generator"), [
    (SURE, UNSURE, (0, -LOG3, -LOG3), (LOG3, -LOG3)), (ONE, SURE, (0, 0, 0), (0, -LOG3)), (UNSURE, ONE, (LOG3, 0, -LOG3), (0, 0)),
], ids=["the discriminator's best", "the generator's best", "one class"])  # fmt: skip
def test_the_three_parts_are_least_where_they_should_be(real, fake, critic, generator):
    judged, made = played(CatGAN(n_clusters=3, stability=0.0, balance=1.0), real, fake)
    assert [judged[k] for k in ("certainty", "uncertainty", "balance")] == pytest.approx(critic, abs=1e-9)
    assert [made[k] for k in ("certainty", "balance")] == pytest.approx(generator, abs=1e-9)
    assert judged["penalty"] == 0 and "stability" not in judged, "the paper's game has no other term"


def test_the_terms_are_entropies_of_the_batch():
    g = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(12, 3, generator=g, dtype=torch.float64) for _ in range(2))
    p, q = real.softmax(1).numpy(), fake.softmax(1).numpy()

    def h(t):
        return -(t * np.log(t)).sum(-1)

    judged, made = played(CatGAN(n_clusters=3, balance=2.0, stability=0.0), real, fake)
    want = {"certainty": h(p).mean(), "uncertainty": -h(q).mean(), "balance": -2 * h(p.mean(0)), "penalty": 0.0}
    assert judged == pytest.approx(want) and made == pytest.approx({"certainty": h(q).mean(), "balance": -2 * h(q.mean(0))})


def test_stability_is_the_divergence_of_a_row_and_its_change():
    system, n, r = game(CatGAN(n_clusters=3, networks=MLP, prior=tacit.Gaussian(2), augment=tacit.Noise(0.3), stability=2.0))
    p, q = n.D(r.x).softmax(1), n.D(r.x + 0.3 * r.t).softmax(1)
    want = 2.0 * (p * (p / q).log()).sum(1).mean()
    torch.testing.assert_close(system.critic(n, r)["stability"], want)
    none = RIM(n_clusters=3, networks=MLP, augment=tacit.NoAugmentation())
    m = Nets({k: v.double() for k, v in none.nets(SPEC).items()})
    assert none.classifier(m, r)["stability"].item() == 0


def game(system):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        n = Nets({k: m.double() for k, m in system.nets(SPEC).items()})
    rng = Rng(1)
    rng.dtype = torch.float64
    x = rng.normal(12, 6)
    r = Round(x=x, z=rng.normal(12, 2), t=rng.normal(12, 6), eps=rng.uniform(12), memory={}, step=0, progress=0.0, size=12)
    return system, n, r.but(known=rng.normal(5, 6), y=torch.tensor([0, 1, 2, 0, 1]))


@pytest.mark.parametrize("penalty", [tacit.GradientNorm(2.0), tacit.GradientPenalty(2.0), tacit.penalties.WeightDecay(0.1)])
def test_a_penalty_is_one_on_the_certainty(penalty):
    system, n, r = game(CatGAN(n_clusters=3, networks=MLP, prior=tacit.Gaussian(2), penalty=penalty, stability=0.0))
    got = system.critic(n, r)["penalty"]
    if isinstance(penalty, tacit.penalties.WeightDecay):
        torch.testing.assert_close(got, 0.05 * sum(p.square().sum() for p in n.D.parameters()))
        return

    def certainty(x: Tensor) -> Tensor:
        p = n.D(x).softmax(1)
        return (p * p.log()).sum(1)

    torch.testing.assert_close(got, penalty(certainty, r.x, n.G(r.z), r.eps))
    assert got > 0


def test_labels_are_a_cross_entropy_beside_the_game():
    base = {"networks": MLP, "prior": tacit.Gaussian(2), "augment": tacit.Noise(0.1)}
    system, n, r = game(SemiSupervisedCatGAN(n_classes=3, label_weight=4.0, **base))
    got = system.critic(n, r)
    torch.testing.assert_close(got.pop("labelled"), 4.0 * cross_entropy(n.D(r.known), r.y))
    without = CatGAN(n_clusters=3, **base).critic(n, r)
    assert got.keys() == without.keys() and all(torch.equal(got[k], without[k]) for k in got)


def test_rim_is_information_less_the_squares_of_its_weights():
    system, n, r = game(RIM(n_clusters=3, networks=MLP, decay=0.5, stability=0.0, balance=1.0))
    p = n.D(r.x).softmax(1).detach().numpy()
    information = -(p.mean(0) * np.log(p.mean(0))).sum() + (p * np.log(p)).sum(1).mean()
    squares = sum(w.square().sum().item() for k, w in n.D.named_parameters() if k.endswith("weight"))
    terms = {k: v.item() for k, v in system.classifier(n, r).items()}
    assert terms["certainty"] + terms["balance"] == pytest.approx(-information) and terms["decay"] == pytest.approx(0.5 * squares)


# Three groups whose changes stay within them.
Y = np.arange(300) % 3
X = (4 * np.eye(3)[Y] + 0.3 * np.random.default_rng(0).normal(size=(300, 3))).astype(np.float32)


@pytest.mark.parametrize("networks", [tacit.MLP(widths=()), tacit.networks.FixedFeatures(fourier=100, degree=0, scale=2.0), MLP],
                         ids=["linear", "kernel", "deep"])  # fmt: skip
def test_rim_finds_far_groups(networks):
    system = RIM(n_clusters=3, networks=networks, decay=1e-3, rule=tacit.Adam(1e-2, (0.9, 0.999)))
    model = tacit.fit(system, X, steps=200, precision="float32", ema=0.9)
    assert float(tacit.metrics.accuracy(Y, model.cluster(X), bootstrap=0)) == 1
    np.testing.assert_allclose(model.encode(X).sum(1), 1, rtol=1e-5)
    np.testing.assert_array_equal(model.encode(X).argmax(1), model.cluster(X))


def test_catgan_finds_far_groups_and_generates_into_all_of_them():
    system = CatGAN(n_clusters=3, networks=tacit.MLP(widths=(32,)), prior=tacit.Gaussian(4), augment=tacit.Noise(0.1))
    model = tacit.fit(system, X, steps=500, precision="float32", ema=0.9)
    assert float(tacit.metrics.accuracy(Y, model.cluster(X), bootstrap=0)) > 0.97
    made = model.sample(300)
    assert made.shape == (300, 3) and len(set(model.cluster(made))) == 3


def test_a_label_for_each_group_names_it():
    system = SemiSupervisedCatGAN(n_classes=3, networks=tacit.MLP(widths=(32,)), prior=tacit.Gaussian(4), augment=tacit.Noise(0.1))
    model = tacit.fit(system, {"x": X, "labelled": (X[:6], Y[:6])}, steps=300, precision="float32", ema=0.9)
    assert (model.predict(X) == Y).mean() > 0.97


@pytest.mark.parametrize(("make", "message"), [
    (lambda: CatGAN(n_clusters=1), "CatGAN got 1 classes; expected 2 or more"), (lambda: RIM(decay=-1.0), "RIM got decay=-1.0"),
    (lambda: RIM(stability=-1.0), "stability=-1.0"), (lambda: CatGAN(balance=-1.0), "balance=-1.0"),
    (lambda: SemiSupervisedCatGAN(label_weight=-1.0), "label_weight=-1.0"),
    (lambda: CatGAN(penalty=tacit.penalties.JensenShannonNorm()), "CatGAN with the penalty JensenShannonNorm has no meaning"),
    (lambda: CatGAN(networks=tacit.MLP(critic_norm="batch"), penalty=tacit.GradientNorm()), "penalty GradientNorm with batch norm"),
])  # fmt: skip
def test_values_without_a_meaning_are_refused(make, message):
    with pytest.raises(tacit.InputError, match=message):
        make()


def test_they_are_cited():
    from tacit.cite import papers

    first = {type(s).__name__: papers(s)[0] for s in (CatGAN(), RIM(), SemiSupervisedCatGAN())}
    assert first["CatGAN"].id == first["SemiSupervisedCatGAN"].id == "arXiv:1511.06390"
    assert first["RIM"].url.startswith("https://papers.nips.cc/") and first["RIM"].bibtex().startswith("@misc{krause2010discriminative")
