"""Instance noise: what D sees, how it fades, what it does to the Dirac game, and where it has no meaning."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import tacit
from support import make_vectors
from tacit import diagnostics
from tacit.core import Nets, Rng
from tacit.core.game import Round, played
from tacit.data import Spec

MLP = tacit.MLP(widths=(6,))
X = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))


class Rows:
    def __init__(self, x: Tensor):
        self.x = x

    def __len__(self) -> int:
        return len(self.x)


def moment(system: Any, progress: float = 0.0) -> tuple[Nets, Round]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        n = Nets(system.nets(Spec(shape=(3,))), system.memory(None))
    r = system.phases()[0].turns[0].draw(n, Rows(X), Rng(1), n.memory)
    r.__dict__.update(memory=n.memory, step=0, progress=progress, size=8)
    return n, r


@pytest.mark.parametrize(("progress", "fade", "left"), [(0.0, 1.0, 1.0), (0.25, 0.5, 0.5), (0.75, 0.5, 0.0), (0.75, 0.0, 1.0)])
def test_every_loss_sees_rows_with_noise(progress, fade, left):
    plain = tacit.GAN(prior=tacit.Gaussian(2), networks=MLP, penalty=tacit.GradientNorm(2.0, "both"))
    system = replace(plain, instance_noise=0.4, noise_fade=fade)
    n, r = moment(system, progress)
    u = 0.4 * left * r.instance_noise
    assert u.shape == X.shape and 0.5 < r.instance_noise.std() < 1.5
    got = played(system)(("critic", "generator"), n, r)
    real, fake = X + u, n.G(r.z).detach() + u
    want = plain.contest(n.D, real, fake, r)
    for k, v in want.items():
        torch.testing.assert_close(got["critic"][k], v)
    torch.testing.assert_close(got["generator"]["adversarial"], plain.objective.generator(n.D(n.G(r.z) + u)))


def test_packs_of_noisy_rows_are_packs_of_rows_with_noise():
    system = tacit.GAN(prior=tacit.Gaussian(2), networks=MLP, pack=4, instance_noise=0.4)
    n, r = moment(system)
    got = played(system)(("critic",), n, r)["critic"]["adversarial"]
    u = 0.4 * r.instance_noise
    want = system.objective.critic(n.D(system.packed(X + u)), n.D(system.packed(n.G(r.z).detach() + u)))
    torch.testing.assert_close(got, want)


def test_it_reaches_other_critics_by_their_names():
    for system in (
        tacit.D2GAN(prior=tacit.Gaussian(2), networks=MLP, instance_noise=0.4),
        tacit.ImprovedGAN(prior=tacit.Gaussian(2), networks=MLP, instance_noise=0.4, kernels=2),
        tacit.systems.EnergyGAN(prior=tacit.Gaussian(2), networks=MLP, instance_noise=0.4, entropy="constant"),
    ):
        n, r = moment(system)
        noisy, clean = (played(s)(("critic",), n, r)["critic"] for s in (system, replace(system, instance_noise=0.0)))
        assert all(not torch.equal(noisy[k], clean[k]) for k in noisy if k not in ("penalty", "level")), type(system).__name__


def test_the_dirac_game_with_noise_settles_as_its_eigenvalues_say():
    """At θ = ψ = 0 noise adds ½σ²·E u² to ∂²L_D/∂ψ²: λ = −c/2 ± √(c²/4 − ¼), c = ½σ²·E u²."""
    sigma, zeros = 1.2, np.zeros((512, 1))
    system = tacit.GAN(
        networks=tacit.networks.Dirac(0.0, 0.0), prior=tacit.Gaussian(1), objective=tacit.Minimax(), rule=tacit.SGD(1e-12),
        critic_rule=tacit.SGD(1e-12), instance_noise=sigma, noise_fade=0.0,
    )  # fmt: skip
    field = diagnostics.joint(tacit.fit(system, zeros, steps=1, precision="float64"), zeros, rows=512)
    c = 0.5 * sigma**2 * field.rounds[0].instance_noise.square().mean().item()
    root = np.sqrt(complex(c**2 / 4 - 0.25))
    np.testing.assert_allclose(diagnostics.spectrum(field), [-c / 2 + root, -c / 2 - root], atol=1e-8)
    assert c == pytest.approx(0.5 * sigma**2, rel=0.2)


def test_no_noise_is_the_game_without_it_bit_for_bit():
    plain = tacit.GAN(prior=tacit.Gaussian(2), networks=MLP)
    a, b = (tacit.fit(s, make_vectors(), steps=4, batch_size=16, precision="float32") for s in (plain, replace(plain, noise_fade=0.3)))
    assert all(torch.equal(v, b.nets.state()[k]) for k, v in a.nets.state().items())
    noisy = tacit.fit(replace(plain, instance_noise=0.1), make_vectors(), steps=4, batch_size=16, precision="float32")
    assert noisy.nets.names() == a.nets.names() and noisy.nets.state().keys() == a.nets.state().keys()
    assert not torch.equal(noisy.nets.state()["D.0.1.weight"], a.nets.state()["D.0.1.weight"])


def test_where_it_has_no_meaning_it_is_refused():
    for make in (tacit.EBGAN, tacit.ALI, tacit.MixGAN, tacit.MDGAN):
        words = rf"{make.__name__} with instance_noise=0\.1 has no meaning.*expected a game whose D sees rows"
        with pytest.raises(tacit.InputError, match=words):
            make(instance_noise=0.1)
    for bad in ({"instance_noise": -1.0}, {"noise_fade": 1.5}):
        with pytest.raises(tacit.InputError, match="expected 0 or more and a share in"):
            tacit.GAN(**bad)


def test_an_unrolled_game_nests_like_any_other():
    base = tacit.UnrolledGAN(prior=tacit.Gaussian(2), networks=MLP, rule=tacit.rules.Unrolled(steps=1), instance_noise=0.1)
    model = tacit.fit(tacit.AdaGAN(base=base, n_components=2, networks=MLP), make_vectors(), steps=12, batch_size=16)
    assert model.sample(3).shape == (3, 6)
