"""PixelCNN: a distribution whose masses sum to 1, pixels that see all that came before and nothing else, samples of that distribution."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from scipy import stats

from tacit.networks.pixelcnn import PixelStack

CONDITIONS = [(0, "invariant"), (3, "invariant"), (3, "dependent")]


def made(shape, levels=2, condition=0, where="invariant", layers=3, kernel=3, first=3, channels=6):
    torch.manual_seed(0)
    net = PixelStack(shape, levels, channels, layers, kernel, first, condition, where).double()
    for p in net.parameters():
        p.data.mul_(2)
    return net, torch.randn(1, condition, dtype=torch.float64) if condition else None


def every(shape, levels):
    """All pictures of a shape, ``(levels^(CHW), C, H, W)``."""
    values = torch.tensor(list(product(range(levels), repeat=int(np.prod(shape)))), dtype=torch.float64)
    return (values / (levels - 1)).reshape(-1, *shape)


@pytest.mark.parametrize(("condition", "where"), CONDITIONS)
@pytest.mark.parametrize(("shape", "levels"), [((1, 2, 2), 2), ((1, 2, 3), 3), ((3, 1, 2), 2), ((2, 2, 2), 2)])
def test_masses_sum_to_one(shape, levels, condition, where):
    net, h = made(shape, levels, condition, where)
    x = every(shape, levels)
    with torch.no_grad():
        total = net(x, None if h is None else h.expand(len(x), -1)).logsumexp(0)
    assert abs(total.item()) < 1e-10


@pytest.mark.parametrize("shape", [(1, 6, 7), (3, 4, 5)])
@pytest.mark.parametrize(("kernel", "first"), [(3, 3), (5, 7)])
def test_a_pixel_sees_all_that_came_before_and_nothing_else(shape, kernel, first):
    """The gradient of each factor is 0 at its own and later values, and, with layers enough, nowhere 0 before: no blind spot."""
    net, _ = made(shape, layers=8, kernel=kernel, first=first, channels=24)
    c, h, w = shape
    order = torch.arange(c * h * w).reshape(h, w, c).permute(2, 0, 1)
    soft = torch.rand(1, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    # The levels as they are, so that the sight of each factor can be read off a gradient.
    log_p = net.log_probs(soft, None)[0, :, 0]
    for place in [(0, 0, 0), (c - 1, 0, 0), (0, 2, 3), (c - 1, 3, 1), (0, h - 1, w - 1)]:
        (sight,) = torch.autograd.grad(log_p[place], soft, retain_graph=True)
        before = order < order[place]
        assert (sight[0][~before] == 0).all()
        assert (sight[0][before] != 0).all()


def test_the_reach_is_what_sampling_may_leave_out():
    net, _ = made((1, 12, 5), layers=3, kernel=3, first=5)
    soft = torch.rand(1, 1, 12, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    (sight,) = torch.autograd.grad(net.log_probs(soft, None)[0, 0, 0, 11, 2], soft)
    rows = sight[0, 0].abs().sum(1).nonzero().flatten()
    assert 11 - rows.min() == net.reach == 5
    level = (soft.detach() > 0.5).long()
    whole = net.log_probs(level, None)[:, :, :, 11]
    torch.testing.assert_close(net.log_probs(level[:, :, 11 - net.reach :], None)[:, :, :, -1], whole)


@pytest.mark.parametrize(("condition", "where"), CONDITIONS)
def test_samples_are_of_the_distribution(condition, where):
    net, h = made((2, 2, 1), 2, condition, where)
    x, size = every((2, 2, 1), 2), 20_000
    u = torch.rand(size, 2, 2, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        mass = net(x, None if h is None else h.expand(len(x), -1)).exp().numpy()
        drawn = net.generate(u, None if h is None else h.expand(size, -1))
    index = (drawn.flatten(1) @ torch.tensor([8.0, 4.0, 2.0, 1.0], dtype=torch.float64)).long()
    assert stats.chisquare(torch.bincount(index, minlength=16).numpy(), size * mass).pvalue > 1e-3


def test_samples_of_tall_pictures_follow_their_own_factors():
    """Each value drawn is the inverse of its own distribution at its own number, rows out of reach left out or not."""
    net, h = made((1, 9, 3), 4, 2, "dependent", layers=2)
    assert net.reach < 8
    u = torch.rand(5, 1, 9, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        x = net.generate(u, h.expand(5, -1))
        level = net.level(x)
        below = net.log_probs(level, net.told(h.expand(5, -1))).exp().cumsum(2)
    at = below.gather(2, level.unsqueeze(2)).squeeze(2)
    before = torch.where(level > 0, below.gather(2, (level - 1).clamp_min(0).unsqueeze(2)).squeeze(2), 0.0)
    assert ((before <= u) & (u <= at + 1e-12)).all()


def test_conditioning_is_the_same_everywhere_or_not():
    for where, alike in (("invariant", True), ("dependent", False)):
        net, h = made((1, 4, 4), condition=3, where=where)
        told = net.told(h)
        assert (told.shape[2:] == (1, 1)) == alike
        blank = torch.zeros(1, 1, 4, 4, dtype=torch.long)
        assert not torch.equal(net.log_probs(blank, told), net.log_probs(blank, net.told(2 * h)))


def test_bytes_are_their_own_levels():
    net = PixelStack((1, 16, 16), 256, 2, 1)
    x = torch.arange(256).reshape(1, 1, 16, 16) / 255
    assert torch.equal(net.level(x).flatten(), torch.arange(256))
