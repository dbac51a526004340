"""Claims: judged by their mean, written with what is needed to check them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tacit import claims
from tacit.errors import InputError


def claim(**options: object) -> claims.Claim:
    def run(context: claims.Context) -> claims.Result:
        return claims.Result({s: 0.8 + 0.1 * s for s in context.seeds}, {"purity": 0.95}, "small" if context.small else "full")

    return claims.Claim(
        **{"id": "demo", "paper": "P 2020", "published": ".88", "what": "ACC | demo", "run": run, "threshold": 0.85, **options}
    )


def test_the_mean_decides(tmp_path: Path) -> None:
    one, three = (claims.reproduce(claim(), seeds=range(n), out=tmp_path) for n in (1, 3))
    assert one["verdict"] == "missed" and three["verdict"] == "holds"
    assert three["mean"] == pytest.approx(0.9) and three["sd"] == pytest.approx(0.1) and three["figures"] == {"purity": 0.95}
    saved = json.loads((tmp_path / "demo.json").read_text())
    assert saved["values"] == {"0": 0.8, "1": 0.9, "2": 1.0} and saved["machine"] and saved["date"] and saved["minutes"] >= 0
    assert (
        "| demo | ACC \\| demo | P 2020 | .88 | at least 0.85 | 0.9 ± 0.1; purity 0.95 | 3 | holds |"
        in (tmp_path / "claims.md").read_text()
    )


def test_smaller_is_better_small_variants_and_tests_of_the_whole() -> None:
    assert claims.reproduce(claim(larger=False))["verdict"] == "holds"
    assert claims.reproduce(claim(small_threshold=0.7), small=True)["verdict"] == "holds"
    assert claims.reproduce(claim(threshold=lambda r: r.extra["purity"] > 0.96))["verdict"] == "missed"
    assert not claim(threshold=0.0).holds(claims.Result({0: float("nan")}))
    assert not claim(threshold=0.0).holds(claims.Result({}))


def test_missing_data_is_refused_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="TACIT_DATA"):
        claims.reproduce(claim(data=("mnist",)))
    with pytest.raises(InputError, match="mnist"):
        claims.reproduce(claim(data=("mnist",)), data_dir=tmp_path)
    assert claims.reproduce(claim(data=("mnist",)), small=True)["claim"]  # which may do without


def test_the_command(tacit: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "claims", lambda: {"demo": claim()})
    assert "ACC | demo" in tacit("reproduce").out
    answer = tacit("reproduce", "Demo", "--seeds", 3, "-o", tmp_path)
    assert answer.code == 0
    assert answer.out.startswith("demo: holds; found 0.9 ± 0.1 over 3 seeds, expected at least 0.85, published .88;")
    assert (tmp_path / "demo.json").exists() and (tmp_path / "claims.md").exists()
    assert tacit("reproduce", "demo", "--small", "-o", tmp_path).code == 0
    assert json.loads((tmp_path / "demo.small.json").read_text())["notes"] == "small"
    assert tacit("reproduce", "demo", "--seeds", 0, "-o", tmp_path).code == 2
    assert tacit("reproduce", "demo", "--data-dir", tmp_path / "none").code == 2


def test_every_claim_here_is_whole() -> None:
    for name, c in claims.claims().items():
        assert name == c.id and c.paper and c.published and c.what and callable(c.run)
