"""The quick parts of the claims on deformed exponential families."""

from __future__ import annotations

import numpy as np
import pytest

from tacit import claims
from tacit.claims import nock_activations, nock_identity
from tacit.claims.nock_identity import Family, sides, signature


@pytest.mark.parametrize("name", ["exp", "mu-relu:0.5", "lsu"])
def test_the_identity_holds(name):
    worst = nock_identity.errors(name, seed=0, pairs=1)
    assert worst["variational"] < 1e-6 and worst["divergence"] < 1e-6
    assert (worst["J"] < 1e-12) == (name == "exp"), "no remainder where the escort is the density itself"


def test_the_identity_needs_its_remainder_and_the_escort():
    """The gradient of the cumulant is the escort's mean and not the density's; J is no rounding error."""
    family = Family(signature("elu"))
    theta, vartheta = np.array([0.8, -0.5]), np.array([-0.3, 0.9])
    found = sides(family, theta, vartheta)
    assert found["divergence"] == pytest.approx(found["geometric"], rel=1e-7)
    assert abs(found["J"]) > 1e-2 * found["geometric"]
    _, phi, w = family.points()
    q = family.density(vartheta)
    escort = family.chi.chi(q)
    slope = family.gradient(vartheta)
    np.testing.assert_allclose(slope, (w * escort) @ phi / (w @ escort), atol=1e-8)
    assert np.abs(slope - (w * q) @ phi).max() > 1e-3


def test_every_activation_keeps_its_signature():
    assert max(map(nock_activations.signature_error, nock_activations.ACTS)) < 1e-9


def test_the_claims_are_found():
    assert {"nock-identity", "nock-activations", "egan-energy"} <= set(claims.claims())
