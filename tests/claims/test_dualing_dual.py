"""The claim itself, small and with one seed."""

from __future__ import annotations

import numpy as np

from tacit.claims import Context
from tacit.claims.dualing_dual import CLAIM, curve, oscillation, run


def test_the_dual_climbs_where_the_primal_swings():
    result = run(Context(seeds=(0,), small=True))
    assert CLAIM.holds(result, small=True)
    assert result.extra["gap"] < 1e-4 and result.values[0] <= 0.2


def test_the_duals_curve_only_rises():
    values = curve(24, 1, 0.1, 60)
    assert (np.diff(values) > -1e-7).all() and values[-1] > values[0] + 0.01
    assert oscillation(np.array([0.0, 2.0, 1.0])) == 3.0
