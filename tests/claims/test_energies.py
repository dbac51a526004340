"""What the claims about energies compute beside the runs themselves."""

from __future__ import annotations

import pytest

from tacit.claims import Result, get
from tacit.claims.began_convergence import rise
from tacit.claims.ebgan_grid import ARMS, grid, system
from tacit.claims.magan_margin import schedule


def test_the_margins_rule_by_hand():
    def epoch(real, fake):
        return [{"critic/real": real + off, "generator/adversarial": fake - off, "critic/margin": 5.0} for off in (-0.5, 0.5)]

    log = [*epoch(1, 4), *epoch(2, 3), *epoch(2, 3.5), *epoch(2.5, 4), *epoch(1.5, 1.2), *epoch(1.5, 1.4), *epoch(1, 1.5), *epoch(1, 2)]
    assert schedule(log, 2) == ([5.0] * 6 + [2.0] * 8 + [1.0] * 2, 2)
    bar = get("magan-margin").bar()
    good = {"start's deviation": 0.0, "fewest falls": 2.0, "rises": 0.0, "not finite": 0.0}
    assert bar(Result({0: 1e-7}, good))
    for wrong in ({"start's deviation": 1e-3}, {"fewest falls": 0.0}, {"rises": 1.0}, {"not finite": 1.0}):
        assert not bar(Result({0: 1e-7}, good | wrong))
    assert not bar(Result({0: 1e-7, 1: 1e-3}, good))


def test_how_far_a_curve_rises():
    assert rise([5.0, 3.0, 2.0, 1.0]) == 0.0
    assert rise([5.0, 3.0, 3.5, 1.0]) == pytest.approx(0.5 / 4)
    assert rise([5.0, 3.0, 3.2, 3.4, 1.0]) == pytest.approx(0.4 / 4), "slow rises count whole"


def test_the_grid_has_the_same_settings_for_every_arm():
    assert len(set(grid())) == 24
    for setting in grid():
        made = [system(arm, *setting) for arm in ARMS]
        assert len({(s.networks, s.prior, s.rule, s.critic_rule) for s in made}) == 1
        assert [getattr(s, "pulling_away", None) for s in made] == [None, 0.0, 0.1]
