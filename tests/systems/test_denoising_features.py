"""Denoising feature matching: what each player is paid, and which way the denoiser points."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

import tacit
from tacit.core import Nets, Rng, Round
from tacit.data import Spec


def game(**options: object) -> tuple[tacit.DenoisingFeatureMatchingGAN, Nets, Round]:
    system = tacit.DenoisingFeatureMatchingGAN(
        prior=tacit.Gaussian(3), networks=tacit.MLP(widths=(16, 5)), denoiser=tacit.MLP(widths=(8,)), **options
    )
    spec = Spec(shape=(2,))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        n = Nets(system.nets(spec))
    batch = type("Batch", (), {"x": Rng(3).normal(7, 2), "__len__": lambda self: 7})()
    return system, n, system.draw(n, batch, Rng(1), {}).but(memory={}, step=0, progress=0.0)


def test_the_discriminator_is_the_gans_own_cut_before_its_last_layer():
    system, n, r = game()
    plain = tacit.GAN(prior=system.prior, networks=system.networks)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        other = Nets(plain.nets(Spec(shape=(2,))))
    assert n.E(r.x).shape == (7, 5) and r.noise.shape == (7, 5)
    torch.testing.assert_close(n.D(n.E(r.x)), other.D(r.x))
    torch.testing.assert_close(system.critic(n, r)["adversarial"], plain.critic(other, r)["adversarial"])


def test_terms_are_the_papers():
    system, n, r = game(denoise=0.06, noise=0.5)
    phi = n.E(r.x).detach()
    restored = n.R(phi + 0.5 * r.noise)
    assert system.restore(n, r)["denoise"].item() == pytest.approx(((restored - phi) ** 2).mean().item(), rel=1e-6)
    made = n.E(n.G(r.z))
    terms = system.generator(n, r)
    assert terms["denoise"].item() == pytest.approx(0.06 / 5 * ((made - n.R(made)) ** 2).sum(1).mean().item(), rel=1e-5)
    assert terms["adversarial"].item() == pytest.approx(softplus(-n.D(made)).mean().item(), rel=1e-6)


def test_the_target_is_held_fixed():
    system, n, r = game()
    weights = list(n.G.parameters())
    made = n.E(n.G(r.z))
    target = n.R(made).detach()
    ours = torch.autograd.grad(system.generator(n, r)["denoise"], weights)
    fixed = torch.autograd.grad(0.03 * (made - target).square().mean(), weights)
    for a, b in zip(ours, fixed, strict=True):
        torch.testing.assert_close(a, b)


def test_each_player_reaches_what_it_owns_and_features_move_under_the_denoiser():
    system, n, r = game()
    players = {p.name: p for p in system.players()}
    assert [t.names for t in system.phases()[0].turns] == [("critic",), ("denoiser",), ("generator",)]
    for name, owned in (("critic", ("E", "D")), ("denoiser", ("R",)), ("generator", ("G",))):
        assert players[name].owns == owned
        loss = sum(players[name].summed(players[name].loss(n, r)))
        assert all(g.abs().sum() > 0 for g in torch.autograd.grad(loss, n.parameters(owned)))
    denoiser = players["denoiser"].loss(n, r)["denoise"]
    assert all(g is None for g in torch.autograd.grad(denoiser, n.parameters(("E",)), allow_unused=True))


class Features(nn.Module):
    """Features that are the row itself."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def test_a_trained_denoiser_points_to_where_data_are_denser():
    """For N(0, s²) data the best r(φ) = φ·s²/(s² + σ²), so that r(φ) − φ = σ²·∇log of the smoothed density."""
    system, n, _ = game(noise=0.5)
    R = nn.Linear(2, 2)
    n = Nets({"E": Features(), "R": R})
    optimiser, rng = torch.optim.Adam(R.parameters(), 0.05), Rng(0)
    for step in range(300):
        optimiser.param_groups[0]["lr"] = 0.05 * (1 - step / 300)
        optimiser.zero_grad()
        system.restore(n, Round(x=0.8 * rng.normal(2048, 2), noise=rng.normal(2048, 2)))["denoise"].backward()
        optimiser.step()
    best = 0.64 / (0.64 + 0.25)
    torch.testing.assert_close(R.weight.detach(), best * torch.eye(2), atol=0.02, rtol=0)
    assert R.bias.abs().max() < 0.02


@pytest.mark.parametrize("networks", [tacit.networks.DCGAN(width=2, critic_norm="batch"), tacit.networks.ResNet(width=4)])
@pytest.mark.parametrize("simultaneous", [False, True])
def test_trains_on_pictures_with_any_networks(networks, simultaneous):
    system = tacit.DenoisingFeatureMatchingGAN(
        prior=tacit.Gaussian(4), networks=networks, penalty=tacit.SpectralNormalisation(), simultaneous=simultaneous,
        denoiser=tacit.MLP(widths=(8,), norm="batch"),
    )  # fmt: skip
    model = tacit.fit(system, "digits", steps=3, batch_size=16, log_every=1, seed=0)
    assert all(np.isfinite(v) for line in model.log for k, v in line.items() if "/" in k)
    assert model.sample(2).shape == (2, 8, 8) and model.score("digits").shape == (1797,)


def test_values_without_a_meaning_are_refused():
    for options in ({"noise": 0.0}, {"denoise": -1.0}):
        with pytest.raises(tacit.InputError, match="expected a weight of 0 or more"):
            tacit.DenoisingFeatureMatchingGAN(**options)


def test_it_cites_its_paper_by_its_address():
    from tacit.cite import papers

    found = next(p for p in papers(tacit.DenoisingFeatureMatchingGAN()) if p.of == "denoisingfeaturematchinggan")
    assert found.url == "https://openreview.net/forum?id=S1X7nhsxl" and "Denoising Feature Matching" in found.text()
    assert found.bibtex().startswith("@misc{wardefarley2017improving") and "doi" not in found.bibtex()
