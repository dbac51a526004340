"""Generators added one by one: nesting changes nothing, rows are weighted by what is missing, shares follow the schedule."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import tacit
from support import make_vectors
from tacit.uses.boost import next_weights

MLP = tacit.MLP(widths=(16,))


@pytest.mark.parametrize(
    ("base", "more"),
    [
        (tacit.GAN, {}), (tacit.FisherGAN, {}), (tacit.WGANGP, {}), (tacit.UnrolledGAN, {}), (tacit.McGan, {}), (tacit.MMDGAN, {}),
        (tacit.GAN, {"instance_noise": 0.5}), (tacit.GAN, {"simultaneous": True}),
    ],
)  # fmt: skip
def test_a_single_component_is_the_base_bit_for_bit(base, more):
    inner = base(prior=tacit.Gaussian(3), networks=MLP, **more)
    options = {"steps": 6, "batch_size": 8, "precision": "float32", "log_every": 2}
    alone, nested = (tacit.fit(s, make_vectors(), **options) for s in (inner, tacit.AdaGAN(base=inner, n_components=1)))
    state = nested.nets.state()
    for k, v in alone.nets.state().items():
        net, _, rest = k.partition(".")
        assert torch.equal(state[f"{net}_1.{rest}"], v), k
    for k, v in alone.nets.memory.items():
        assert torch.equal(nested.nets.memory[f"{k}_1"], v), k
    assert nested.sample(4).shape == (4, 6)


@pytest.mark.parametrize(("schedule", "shares"), [("uniform", [1 / 3, 1 / 3, 1 / 3]), ("constant", [0.49, 0.21, 0.3])])
def test_shares_follow_the_schedule(schedule, shares):
    base = tacit.GAN(prior=tacit.Gaussian(3), networks=MLP)
    system = tacit.AdaGAN(base=base, n_components=3, schedule=schedule, beta=0.3, networks=MLP)
    model = tacit.fit(system, make_vectors(), steps=8, batch_size=8)
    assert model.nets.memory["shares"].tolist() == pytest.approx(shares)


def test_rows_that_the_mixture_lacks_are_drawn_for_the_next_component():
    """The first generator stands on one of two places, by its bias alone; what the run then draws from is seen in its checkpoint."""
    x = np.concatenate([np.full((90, 1), -1.0), np.full((10, 1), 3.0)]).astype(np.float32)
    system = tacit.AdaGAN(
        base=tacit.GMMN(prior=tacit.priors.Uniform(2), networks=tacit.MLP(widths=(4,))), n_components=2,
        networks=tacit.MLP(widths=(16,)), rule=tacit.Adam(1e-2), judging=8.0,
    )  # fmt: skip
    seen: dict[str, torch.Tensor] = {}
    reweight = tacit.AdaGAN._reweight

    def watched(self: tacit.AdaGAN, t: int, beta: float):
        enter = reweight(self, t, beta)

        def call(n, world):
            found = enter(n, world)
            seen.update(weights=world.feed.weights.clone(), ratio=found["ratio"].double())
            return found

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tacit.AdaGAN, "_reweight", watched)
        model = tacit.fit(system, x, steps=200, batch_size=50)
    assert torch.allclose(seen["weights"], next_weights(seen["ratio"], 0.5)[0])
    assert model.nets.memory.get("ratio") is None, "the ratios belong to the run, not to the model"
    # The classifier's ratio is the density ratio: on a barely trained first generator the far rows are the uncovered ones.
    assert seen["weights"].std() > 0


def test_a_base_that_cannot_sample_is_refused():
    with pytest.raises(tacit.InputError, match="AdaGAN over Autoencoder has no meaning"):
        tacit.AdaGAN(base=tacit.Autoencoder())


def test_a_base_of_several_streams_is_refused():
    with pytest.raises(tacit.InputError, match=r"AdaGAN over SemiSupervisedBayesianGAN has no meaning, .* streams x, labelled"):
        tacit.AdaGAN(base=tacit.systems.SemiSupervisedBayesianGAN())
