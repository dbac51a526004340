"""The bound's closed form, and that it is the least size that holds the dimension."""

from __future__ import annotations

import pytest

from tacit.errors import InputError
from tacit.uses.capacity import spectral_capacity


@pytest.mark.parametrize("n", [10, 19, 320, 321, 60_000, 70_000])
@pytest.mark.parametrize("bits", [1, 16, 32])
def test_the_size_is_the_least_that_holds_a_tenth_of_the_points(n, bits):
    found = spectral_capacity(n, bits)
    assert 10 * found.dimension <= n < 10 * (found.dimension + 1)
    assert bits * (found.weights - 1) < found.dimension <= bits * found.weights
    assert found.weights_times_units**2 == pytest.approx(found.dimension)


def test_it_grows_in_proportion_to_the_points():
    assert spectral_capacity(700_000).dimension == 10 * spectral_capacity(70_000).dimension
    assert spectral_capacity(700_000).weights_times_units == pytest.approx(10**0.5 * spectral_capacity(70_000).weights_times_units)


@pytest.mark.parametrize("wrong", [{"n": 9}, {"n": 100, "bits": 0}])
def test_what_has_no_bound_is_refused(wrong):
    with pytest.raises(InputError, match="expected 10 or more points and 1 or more bits"):
        spectral_capacity(**wrong)
