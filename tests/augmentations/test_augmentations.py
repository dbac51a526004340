"""Maps of pictures against scipy's, noise by its moments."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

import tacit
from tacit.core import Rng, names
from tacit.core.part import get
from tacit.data import Spec

PICTURES = torch.rand(5, 2, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
WIDE = tacit.Affine(rotation_deg=40.0, shift=0.2, scale=0.3, shear=0.5)


def mapped(x: np.ndarray, a: np.ndarray, t: np.ndarray) -> np.ndarray:
    """x(A·p + t) of one channel by scipy; p = (column, row) from the centre, t in shares of the side."""
    size = np.array(x.shape)
    matrix, centre = a[::-1, ::-1], (size - 1) / 2
    offset = centre - matrix @ centre + t[::-1] * size
    return ndimage.affine_transform(x, matrix, offset, order=1, mode="nearest")


def matrix(u: torch.Tensor, part: tacit.augmentations.Affine) -> tuple[np.ndarray, np.ndarray]:
    u = u.numpy() * part.strength
    angle = math.radians(part.rotation_deg) * u[0]
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    slant = np.array([[1, part.shear * u[3]], [0, 1]])
    size = np.diag(1 + part.scale * u[1:3])
    return turn @ slant @ size, part.shift * u[4:]


def unit(k: int, value: float = 1.0) -> torch.Tensor:
    u = torch.zeros(5, 6, dtype=torch.float64)
    u[:, k] = value
    return u


@pytest.mark.parametrize("name", names("augmentation"))
def test_a_draw_of_zeros_changes_nothing_and_one_draw_is_one_change(name):
    part = get("augmentation", name)()
    for x in (PICTURES.float(), torch.randn(5, 3)):
        if name == "affine" and x.dim() != 4:
            continue
        u = part.draw(x, Rng(3))
        assert len(u) == 5
        torch.testing.assert_close(part(x, torch.zeros_like(u)), x)
        changed = part(x, u)
        assert changed.shape == x.shape and torch.equal(changed, part(x, part.draw(x, Rng(3))))
        assert torch.equal(changed, x) == (name == "none")
        assert torch.allclose(part(x[1:3], u[1:3]), changed[1:3], atol=1e-6), "rows do not depend on each other"


def test_strength_scales_every_range_and_0_is_none():
    u = WIDE.draw(PICTURES, Rng(0)).double()
    torch.testing.assert_close(tacit.Affine(strength=0.0)(PICTURES, u), PICTURES)
    half = tacit.Affine(rotation_deg=40.0, shift=0.2, scale=0.3, shear=0.5, strength=0.5)
    torch.testing.assert_close(half(PICTURES, u), WIDE(PICTURES, u / 2))


def test_a_shift_of_two_pixels_repeats_the_edge():
    got = tacit.Affine(shift=0.25)(PICTURES, unit(4))
    torch.testing.assert_close(got, PICTURES[..., [2, 3, 4, 5, 6, 7, 7, 7]])
    torch.testing.assert_close(tacit.Affine(shift=0.25)(PICTURES, unit(5, -1.0)), PICTURES[:, :, [0, 0, 0, 1, 2, 3, 4, 5]])


def test_a_right_angle_is_numpys():
    got = tacit.Affine(rotation_deg=90.0)(PICTURES, unit(0))
    np.testing.assert_allclose(got, np.rot90(PICTURES, axes=(2, 3)), atol=1e-12)


@pytest.mark.parametrize("k", [*range(6), "all"])
def test_every_map_is_scipys(k):
    u = WIDE.draw(PICTURES, Rng(1)).double() if k == "all" else unit(k, 0.7)
    got = WIDE(PICTURES, u)
    for i in range(5):
        want = np.stack([mapped(c, *matrix(u[i], WIDE)) for c in PICTURES[i].numpy()])
        np.testing.assert_allclose(got[i], want, atol=1e-12)


def test_a_picture_that_is_a_plane_stays_one():
    """x(p) = g·p becomes (Aᵀg)·p + g·t where the map stays inside."""
    r = (torch.arange(16, dtype=torch.float64) - 7.5) / 16
    plane = (2 * r[None, :] - 3 * r[:, None])[None, None]
    u = tacit.Affine().draw(plane, Rng(0)).double()
    a, t = matrix(u[0], tacit.Affine())
    slope = a.T @ [2, -3]
    want = slope[0] * r[None, :] + slope[1] * r[:, None] + t @ [2, -3]
    got = tacit.Affine()(plane, u)[0, 0]
    torch.testing.assert_close(got[5:-5, 5:-5], want[5:-5, 5:-5])


def test_a_turn_is_a_turn_in_pictures_that_are_not_square():
    x = torch.rand(1, 1, 8, 14, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    got = tacit.Affine(rotation_deg=30.0)(x, unit(0)[:1])[0, 0]
    np.testing.assert_allclose(got, mapped(x[0, 0].numpy(), *matrix(unit(0)[0], tacit.Affine(rotation_deg=30.0))), atol=1e-12)


def test_gradients():
    x = PICTURES[:2, :1, :4, :4].clone().requires_grad_(True)
    u = WIDE.draw(x, Rng(2)).double()
    assert torch.autograd.gradcheck(lambda v: WIDE(v, u), (x,))
    assert torch.autograd.gradcheck(lambda v: tacit.Noise(0.3)(v, Rng(0).normal(2, 1, 4, 4).double()), (x,))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert WIDE(PICTURES.float(), WIDE.draw(PICTURES, Rng(0))).dtype == torch.float32


def test_draws_of_maps_fill_their_range():
    u = WIDE.draw(torch.zeros(5000, 1, 2, 2), Rng(0)).numpy()
    assert u.shape == (5000, 6)
    for k in range(6):
        assert stats.kstest(u[:, k], stats.uniform(-1, 2).cdf).pvalue > 1e-3
    assert np.abs(np.corrcoef(u.T) - np.eye(6)).max() < 0.06


def test_noise_has_its_moments():
    x = torch.full((4000, 5), 2.0)
    part = tacit.Noise(0.3)
    added = (part(x, part.draw(x, Rng(0))) - x).numpy()
    assert stats.kstest(added.ravel(), stats.norm(0, 0.3).cdf).pvalue > 1e-3
    assert np.abs(np.corrcoef(added.T) - np.eye(5)).max() < 0.07
    assert torch.equal(tacit.Noise(0.0)(x, part.draw(x, Rng(0))), x)


def test_auto_maps_pictures_and_adds_noise_to_the_rest():
    auto, x = tacit.AutoAugmentation(), PICTURES.float()
    u = auto.draw(x, Rng(0))
    assert torch.equal(u, tacit.Affine().draw(x, Rng(0))) and torch.equal(auto(x, u), tacit.Affine()(x, u))
    for v in (torch.randn(4, 3), torch.randn(4, 3, 2)):
        u = auto.draw(v, Rng(0))
        assert torch.equal(auto(v, u), tacit.Noise(0.1)(v, u))
    auto.check(Spec(shape=(3,)))
    auto.check(Spec(shape=(1, 8, 8), kind="image", bounded=True))


@pytest.mark.parametrize("spec", [Spec(shape=(64,)), Spec(shape=(1, 8, 8), kind="sequence")])
def test_affine_refuses_what_is_not_a_picture(spec):
    with pytest.raises(tacit.InputError, match=r"Affine got .*expected pictures; use augment=Noise"):
        tacit.Affine().check(spec)
    with pytest.raises(tacit.InputError, match="expected pictures"):
        tacit.ClusterGAN(n_clusters=2, augment=tacit.Affine()).check(spec, 10)


@pytest.mark.parametrize("wrong", [{"scale": 1.0}, {"scale": 0.6, "strength": 2.0}, {"shift": -0.1}, {"rotation_deg": -1.0}])
def test_ranges_without_a_meaning_are_refused(wrong):
    with pytest.raises(tacit.InputError, match="negative or too large"):
        tacit.Affine(**wrong)
    with pytest.raises(tacit.InputError, match="Noise got sigma"):
        tacit.Noise(-0.1)
