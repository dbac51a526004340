"""Progress and early stopping."""

from __future__ import annotations

import io

import pytest

from tacit.callbacks import EarlyStop
from tacit.errors import InputError
from tacit.progress import Progress


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("tacit.progress.time.monotonic", lambda: now[0])
    out = io.StringIO()
    p = Progress(out, every_s=30.0)
    p.start(100, 0, "train", 3700.0)
    p.terms({"critic/adversarial": 1.2345, "generator/adversarial": 0.5}, 10.0)
    p.update(1)
    now[0] = 31.0
    p.update(40)
    p.update(41)
    p.close()
    lines = out.getvalue().splitlines()
    assert lines[0] == "100 steps, about 1 h 01 min on this machine"
    assert lines[1] == "train: 40 of 100 steps, 10 steps/s, 6 s left  critic/adversarial 1.234  generator/adversarial 0.5"
    assert len(lines) == 2


def test_a_short_fit_is_silent_in_a_log() -> None:
    out = io.StringIO()
    p = Progress(out)
    p.start(10, 0, "train", 1.0)
    for i in range(10):
        p.update(i + 1)
    p.close()
    assert out.getvalue() == ""


def test_a_terminal_gets_a_bar_with_terms_and_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("TERM", "xterm")
    out = io.StringIO()
    p = Progress(out, live=True)
    p.start(2000, 500, "affinities", 1.0)
    p.terms({"siamese/loss": 0.25}, 123.4)
    p.start(2000, 1000, "map", 1.0)
    p.update(1500)
    p.close()
    p.close()
    text = out.getvalue()
    assert "1500/2000" in text and "map" in text and "123.4 steps/s" in text and "siamese/loss 0.25" in text


def reading(step: int, **terms: float) -> dict:
    return {"step": step, "terms": {k.replace("_", "/"): v for k, v in terms.items()}}


def test_early_stop_counts_steps_since_the_best() -> None:
    stop = EarlyStop("g/loss", patience=20, min_delta=0.1)
    values = [(10, 1.0), (20, 0.95), (30, 0.5), (40, 0.45), (50, 0.49)]
    assert [stop(reading(s, g_a=v / 2, g_b=v / 2, d_a=-s)) for s, v in values] == [False, False, False, False, True]
    assert stop.best_step == 30
    up = EarlyStop("g/a", patience=10, mode="max")
    assert [up(reading(s, g_a=v)) for s, v in [(0, 1.0), (10, 2.0), (20, 1.0)]] == [False, False, True]


def test_early_stop_resumes_where_it_was() -> None:
    values = [(s, 1.0 / (1 + min(s, 40))) for s in range(0, 200, 10)]
    whole = EarlyStop("g/a", patience=50)
    expected = [whole(reading(s, g_a=v)) for s, v in values]
    first = EarlyStop("g/a", patience=50)
    got = [first(reading(s, g_a=v)) for s, v in values[:7]]
    second = EarlyStop.from_state(first.state())
    got += [second(reading(s, g_a=v)) for s, v in values[7:]]
    assert got == expected and True in expected
    assert second.state() == whole.state()


@pytest.mark.parametrize(
    "options", [{"patience": 0}, {"patience": 1.5}, {"min_delta": -1}, {"min_delta": float("nan")}, {"mode": "less"}]
)
def test_early_stop_refuses(options: dict) -> None:
    with pytest.raises(InputError):
        EarlyStop("g/a", **options)
