"""Claims about closed forms, in their small variants."""

from __future__ import annotations

import pytest

from tacit import claims


@pytest.mark.parametrize("name", ["dynamics-rates", "nagarajan-kolter", "gradient-penalties-dirac"])
def test_closed_forms_hold(name):
    found = claims.reproduce(claims.get(name), seeds=(1,), small=True)
    assert found["verdict"] == "holds", found["figures"]
