"""What the claims about codes measure: slant, stroke, what a number moves, and how they judge."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

import tacit
from tacit.claims import Context, Result, catgan_mnist, infogan_mnist
from tacit.claims._runs import clustered, halves
from tacit.core import Nets
from tacit.data import Spec
from tacit.model import Model


def bar(slope: float, width: float = 2.0) -> np.ndarray:
    """An upright stroke of 20 px, moved to the right by ``slope`` px for each px upwards."""
    v, u = np.mgrid[:28, :28] - 13.5
    return np.where(np.abs(v) < 10, np.exp(-(((u + slope * v) / width) ** 2)), 0.0)


@pytest.mark.parametrize("slope", [-0.4, 0.0, 0.2, 0.5])
def test_slant_is_the_angle_of_a_slanted_stroke(slope):
    (found,) = infogan_mnist.slant_deg(bar(slope)[None])
    assert found == pytest.approx(np.degrees(np.arctan(slope)), abs=0.6)
    thin, wide = infogan_mnist.ink(np.stack([bar(slope, 1.0), bar(slope, 2.0)]))
    assert wide == pytest.approx(2 * thin, rel=0.05), "ink grows with the stroke"
    assert infogan_mnist.slant_deg(np.zeros((1, 28, 28))).tolist() == [0.0]


class Drawn(torch.nn.Module):
    """A generator whose first number is the stroke and whose second is the slant."""

    def forward(self, z) -> torch.Tensor:
        numbers = torch.cat([z.uniform, z.noise], 1).tolist()
        made = [bar(0.4 * b + 0.1 * e, 2 + a) for a, b, e in numbers]
        return torch.tensor(np.stack(made)[:, None])


def test_a_moved_number_is_measured_whichever_it_is(monkeypatch):
    monkeypatch.setattr(infogan_mnist, "BASES", 20)
    system = tacit.InfoGAN(prior=tacit.priors.Codes(noise=1))
    model = Model(system, Spec(shape=(1, 28, 28), kind="image", bounded=True), Nets({"G": Drawn()}))
    found = infogan_mnist.traverse(model)
    assert set(found) == {"uniform_1", "uniform_2"} and found["uniform_1"]["slant"].shape == (20, 11)
    got = infogan_mnist.moved(found)
    assert got["slant monotone"] == got["stroke monotone"] == pytest.approx(1)
    assert got["slant at 1"] - got["slant at -1"] == pytest.approx(2 * np.degrees(np.arctan(0.4)), abs=1.5)
    assert got["stroke at 1"] / got["stroke at -1"] == pytest.approx(3, rel=0.15)
    assert got["slant moved in rows"] == got["stroke moved in rows"] == 1
    idle = {k: {m: np.random.default_rng(i).normal(size=(20, 11)) for m in v} for i, (k, v) in enumerate(found.items())}
    assert infogan_mnist.moved(idle)["slant monotone"] < 0.9


def test_nats_of_a_generator_that_tells_all():
    prior = tacit.priors.Codes(categories=(4,), uniform=0, noise=1)

    class All(torch.nn.Module):
        def forward(self, z):
            return prior.join(z)

    class Reads(torch.nn.Module):
        def forward(self, x):
            return 50 * x[:, :4]

    system = tacit.InfoGAN(prior=prior, share=False, discrete=0.0, continuous=0.0)
    model = Model(system, Spec(shape=(5,)), Nets({"G": All(), "Q": Reads()}))
    assert infogan_mnist.nats(model, 500) == {"category_1": pytest.approx(np.log(4))}


def test_a_generator_is_read_again_by_a_fresh_network_and_stays():
    prior = tacit.priors.Codes(categories=(4,), uniform=0, noise=1)
    system = tacit.InfoGAN(prior=prior, share=False, discrete=0.0, continuous=0.0, networks=tacit.MLP(widths=(16,)), features=8)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Model(system, Spec(shape=(3,)), Nets(system.nets(Spec(shape=(3,)))))
        torch.nn.init.normal_(model.nets.G.net[0].weight, std=3.0)
    before = {k: v.clone() for k, v in model.nets.state().items()}
    again = infogan_mnist.read_again(model, 250)
    assert infogan_mnist.nats(again, 500)["category_1"] > infogan_mnist.nats(model, 500)["category_1"] + 0.2
    assert all(torch.equal(v, model.nets.state()[k]) for k, v in before.items())
    assert all(torch.equal(v, again.nets.state()[k]) for k, v in before.items() if not k.startswith("Q."))


@pytest.mark.parametrize(("bound", "change", "verdict"), [
    (2.28, {}, True), (2.2, {}, False), (2.28, {"GAN category_1": 1.2}, False), (2.28, {"slant monotone": 0.97}, False),
    (2.28, {"stroke monotone": 0.5}, False), (2.28, {"slant moved in rows": 0.8}, False), (2.28, {"stroke moved in rows": 0.85}, False),
])  # fmt: skip
def test_infogan_is_judged_by_the_bound_the_gan_and_both_movements(bound, change, verdict):
    extra = {"GAN category_1": 0.3, "slant monotone": 1.0, "stroke monotone": 1.0}
    extra |= {"slant moved in rows": 0.95, "stroke moved in rows": 1.0, **change}
    assert infogan_mnist.CLAIMS[0].holds(Result({0: bound}, extra)) is verdict


def test_the_same_networks_and_updates_stand_side_by_side():
    told, plain = infogan_mnist.systems().values()
    assert dataclasses.replace(plain, discrete=told.discrete, continuous=told.continuous, share=True) == told
    spec = Spec(shape=(1, 28, 28), kind="image", bounded=True)
    shapes = [{k: [tuple(w.shape) for w in n.parameters()] for k, n in s.nets(spec).items()} for s in (told, plain)]
    assert all(shapes[0][k] == shapes[1][k] for k in "GFD"), "the plain GAN has InfoGAN's generator and discriminator"
    made = catgan_mnist.systems()
    cat, rim = made["CatGAN 20"], made["RIM 20"]
    weights = [[tuple(w.shape) for w in s.nets(spec)["D"].parameters()] for s in (cat, rim)]
    assert weights[0] == weights[1] and cat.defaults.steps == rim.defaults.steps and cat.defaults.batch_size == rim.defaults.batch_size
    assert (cat.stability, cat.balance, cat.augment) == (rim.stability, rim.balance, rim.augment)
    own = made["CatGAN 20, the paper's game"]
    assert own == dataclasses.replace(cat, stability=0.0, balance=1.0)


def test_halves_of_digits_share_no_row_and_clusters_are_scored_on_the_unseen():
    rows = halves(Context(small=True))
    assert (rows.train.n, rows.test.n) == (1297, 500)
    model = tacit.fit(tacit.KMeans(n_clusters=12, n_init=1), rows.train)
    got = clustered(model, rows)
    assert 0.05 < got["many-to-one error"] < 0.4 and got["clusters used"] == 12 and got["ACC"] <= 1 - got["many-to-one error"] + 0.02
