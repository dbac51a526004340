"""The page of claims says what the records say, and has a line for every claim."""

from __future__ import annotations

from pathlib import Path

from tacit.claims import claims
from tacit.claims._page import page, records

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_what_the_records_say():
    assert (DOCS / "claims.md").read_text(encoding="utf-8") == page(DOCS), "run: python -m tacit.claims._page docs"


def test_every_claim_has_a_line():
    text = (DOCS / "claims.md").read_text(encoding="utf-8")
    assert [name for name in claims() if f"`{name}`" not in text] == []


def test_every_record_belongs_to_a_claim_and_judges_as_the_claim_does():
    from tacit.claims import Result

    known = claims()
    for name, of in records(DOCS / "results").items():
        assert name in known
        for small, r in of.items():
            result = Result({int(k): v for k, v in r["values"].items()}, r["figures"])
            assert r["machine"] and r["date"] and r["minutes"] >= 0 and "/" not in r["machine"]
            assert ("holds" if known[name].holds(result, small) else "missed") == r["verdict"], name
