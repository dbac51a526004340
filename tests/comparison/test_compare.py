"""A comparison: the same for all, skipped when done, continued when interrupted, refused before anything is written."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from safetensors.numpy import load_file
from scipy.stats import t as student

import tacit
from support import write_idx
from tacit.callbacks import Snapshots, snapshots
from tacit.comparison import tasks
from tacit.comparison.run import label, name_all
from tacit.comparison.summary import best, interval
from tacit.metrics import Figure

NETS = tacit.MLP(widths=(12,))
SMALL = {"steps": 12, "batch_size": 16, "samples": 300, "snapshots": 2, "page": False, "log_every": 1}


def gans() -> dict[str, tacit.System]:
    prior = tacit.Gaussian(2)
    hinge = tacit.GAN(prior=prior, networks=NETS, objective=tacit.objectives.Hinge(), penalty=tacit.SpectralNormalisation())
    return {"plain": tacit.GAN(prior=prior, networks=NETS), "hinge": hinge}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A small comparison."""
    return tacit.compare(gans(), "moons", out=tmp_path_factory.mktemp("compare") / "c", seeds=2, jobs=1, **SMALL)


def test_each_fit_is_the_fit_that_would_be_made_alone(made):
    assert list(made.systems) == ["plain", "hinge"] and list(made.results["plain"]) == [0, 1]
    for name, system in gans().items():
        alone = tacit.fit(system, "moons", seed=1, steps=12, batch_size=16, precision="float32", log_every=1)
        kept = tacit.load(made.results[name][1]["folder"])
        np.testing.assert_array_equal(alone.sample(20), kept.sample(20))
        assert made.results[name][1]["steps"] == 12 and made.results[name][1]["weights"] == {"G": 62, "D": 49}


def test_measures_are_those_of_the_kept_model(made):
    from tacit.comparison.measures import measure

    r = made.results["hinge"][0]
    figures = measure(tacit.load(r["folder"]), tacit.data.load("moons"), seed=0, most=300)
    assert r["measures"] == json.loads(json.dumps({k: f.to_json() for k, f in figures.items()}))
    assert set(r["measures"]) == {"FID", "KID", "precision", "recall", "density", "coverage"}
    values = [made.results["hinge"][s]["measures"]["FID"]["value"] for s in (0, 1)]
    f = made.figures("FID")["hinge"]
    reach = student.ppf(0.975, 1) * np.std(values, ddof=1) / np.sqrt(2)
    assert f.value == pytest.approx(np.mean(values)) and f.high == pytest.approx(np.mean(values) + reach)
    saved = json.loads((made.folder / "compare.json").read_text())
    assert saved["summary"]["FID"]["hinge"]["value"] == pytest.approx(f.value) and saved["options"]["precision"] == "float32"


def test_strips_show_the_training(made):
    r = made.results["plain"][1]
    strip = snapshots(Path(r["folder"]) / "snapshots")
    assert [s["step"] for s in strip] == [3, 12] and set(strip[0]["measures"]) >= {"FID", "recall"}
    final = np.load(Path(r["folder"]) / "samples.npy")
    assert strip[0]["rows"].shape == final.shape == (1000, 2)
    np.testing.assert_array_equal(final, tacit.load(r["folder"]).sample(1000, seed=1, raw=False))
    # the last snapshot's noise is its own, and the same at every step
    again = tacit.load(r["folder"]).sample(1000, seed=0, raw=False)
    np.testing.assert_array_equal(strip[-1]["rows"], again.astype(np.float32))


def test_a_second_call_reads_what_is_there_and_more_seeds_are_added(made, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(tasks, "_run", lambda task, folder: pytest.fail("fitted again"))
    again = tacit.compare(gans(), "moons", out=made.folder, seeds=2, jobs=1, say=asked.append, **SMALL)
    assert again.results == made.results and asked == ["4 of 4 fits are there already"]
    monkeypatch.undo()
    more = tacit.compare(gans(), "moons", out=made.folder, seeds=(1, 4), jobs=1, **SMALL)
    assert more.results["plain"][1] == made.results["plain"][1] and list(more.results["plain"]) == [1, 4]


def test_other_samples_measure_the_same_fits_again(made, monkeypatch):
    before = {p: p.stat().st_mtime_ns for p in made.folder.rglob("weights.safetensors")}
    found = tacit.compare(gans(), "moons", out=made.folder, seeds=1, jobs=1, **SMALL | {"samples": 200})
    assert found.results["plain"][0]["measures"]["FID"]["n"] == 200
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_another_fit_in_the_folder_is_refused_or_replaced(made):
    with pytest.raises(tacit.InputError, match=r"plain-0 holds another fit \(steps 12, not 13\)"):
        tacit.compare(gans(), "moons", out=made.folder, seeds=1, jobs=1, **SMALL | {"steps": 13})
    other = {"plain": dataclasses.replace(gans()["plain"], networks=tacit.MLP(widths=(13,)))}
    with pytest.raises(tacit.InputError, match=r"another fit \(networks.widths \[12\], not \[13\]\)"):
        tacit.compare(other, "moons", out=made.folder, seeds=1, jobs=1, **SMALL)
    one = {"plain": gans()["plain"]}
    found = tacit.compare(one, "moons", out=made.folder, seeds=(7,), jobs=1, **SMALL)
    again = tacit.compare(one, "moons", out=made.folder, seeds=(7,), jobs=1, overwrite=True, **SMALL | {"steps": 13})
    assert (found.results["plain"][7]["steps"], again.results["plain"][7]["steps"]) == (12, 13)


def test_tasks_are_plain_and_the_caller_chooses_the_backend():
    seen = []

    class Watching(joblib.parallel.ThreadingBackend):
        def submit(self, func: Any, callback: Any = None) -> Any:
            seen.extend(json.dumps(call[1]) for call in func.items)
            return super().submit(func, callback)

        apply_async = submit

    joblib.register_parallel_backend("watching", Watching)
    with joblib.parallel_config("watching", n_jobs=2):
        found = tacit.compare(gans(), "moons", seeds=1, jobs=None, **SMALL | {"snapshots": 0})
    assert not found.folder.exists(), "without out, nothing is kept"
    assert len(seen) == 2 and all(json.loads(s)[0]["name"] in gans() for s in seen)
    assert found.figures("FID")["plain"].low is None


def weights(folder: Path) -> dict[str, dict[str, np.ndarray]]:
    return {p.parent.name: load_file(p) for p in sorted((folder / "runs").rglob("weights.safetensors"))}


def test_processes_that_were_stopped_go_on_to_the_same_result(tmp_path):
    options = {**SMALL, "steps": 1000, "samples": 200, "log_every": 50, "checkpoint_every": "50"}
    cut, whole = tmp_path / "cut", tmp_path / "whole"

    def stop() -> None:
        until = time.monotonic() + 90
        while not list(cut.rglob("snapshots/0*.npy")) and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop, daemon=True).start()
    with pytest.raises(tacit.Interrupted, match=r"stopped by SIGTERM; \d of 2 fits are finished and kept; run the same command again") as e:
        tacit.compare(gans(), "moons", out=cut, seeds=1, jobs=2, **options)
    assert e.value.exit_code == 143 and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert list(cut.rglob("checkpoint.safetensors")) and len(list(cut.rglob("result.json"))) < 2
    assert not (cut / "compare.json").exists()
    tacit.compare(gans(), "moons", out=cut, seeds=1, jobs=1, **options)
    tacit.compare(gans(), "moons", out=whole, seeds=1, jobs=1, **options)
    one, two = weights(cut), weights(whole)
    assert list(one) == list(two) == ["hinge-0", "plain-0"]
    assert all(np.array_equal(one[run][k], two[run][k]) for run in one for k in one[run])
    for path in sorted((cut / "runs").rglob("*.npy")):
        np.testing.assert_array_equal(np.load(path), np.load(whole / path.relative_to(cut)))
    strips = [[(s["step"], s["measures"]) for s in snapshots(f / "runs" / "plain-0" / "snapshots")] for f in (cut, whole)]
    assert strips[0] == strips[1] and len(strips[0]) == 2


def test_a_stop_between_two_processes_turns_is_told_too(tmp_path, monkeypatch):
    monkeypatch.setattr(Snapshots, "__call__", lambda self, reading: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(tacit.Interrupted, match="stopped by SIGINT; 0 of 2 fits") as e:
        tacit.compare(gans(), "moons", out=tmp_path, seeds=1, jobs=1, **SMALL)
    assert e.value.exit_code == 130
    monkeypatch.undo()
    assert tacit.compare(gans(), "moons", out=tmp_path, seeds=1, jobs=1, **SMALL).results["plain"][0]["steps"] == 12


def test_a_fit_that_diverges_is_counted_and_named(tmp_path):
    wild = tacit.GAN(
        prior=tacit.Gaussian(2), networks=NETS, objective=tacit.objectives.FDivergence("kl"), rule=tacit.SGD(1e4),
        critic_rule=tacit.SGD(1e4),
    )  # fmt: skip
    found = tacit.compare({"plain": gans()["plain"], "wild": wild}, "moons", out=tmp_path, seeds=1, jobs=1, **SMALL)
    r = found.results["wild"][0]
    assert r["status"] == "diverged" and "became NaN" in r["error"] and r["steps"] < 12 and "FID" in r["measures"]
    assert found.results["plain"][0]["status"] == "finished"


def test_a_fit_that_fails_leaves_the_others(tmp_path, monkeypatch):
    real = tasks._run

    def broken(task: dict[str, Any], folder: Path) -> dict[str, Any]:
        if task["name"] == "hinge":
            raise MemoryError("no room")
        return real(task, folder)

    monkeypatch.setattr(tasks, "_run", broken)
    with pytest.raises(tacit.TacitError, match="1 of 2 fits failed, the first hinge with seed 0: MemoryError: no room"):
        tacit.compare(gans(), "moons", out=tmp_path, seeds=1, jobs=1, **SMALL)
    assert json.loads((tmp_path / "compare.json").read_text())["results"]["plain"]["0"]["status"] == "finished"
    monkeypatch.undo()
    assert tacit.compare(gans(), "moons", out=tmp_path, seeds=1, jobs=1, **SMALL).results["hinge"][0]["status"] == "finished"


def test_modes_and_trained_features(tmp_path, monkeypatch):
    known = tacit.compare({"g": gans()["plain"]}, "ring8:1", seeds=1, jobs=1, **SMALL | {"snapshots": 1})
    assert known.measures == ["modes captured, of 8", "high-quality share", "reverse KL"]
    digits = {"k": tacit.KMeans(n_clusters=10, n_init=1), "g": gans()["plain"]}
    few = partial(tacit.metrics.train_classifier, epochs=1, width=4)
    monkeypatch.setattr("tacit.metrics.train_classifier", few)
    found = tacit.compare(digits, "digits", out=tmp_path, seeds=1, jobs=1, features="trained", **SMALL | {"snapshots": 0})
    assert {"ACC", "NMI"} <= set(found.results["k"][0]["measures"]) and "mode score" in found.results["g"][0]["measures"]
    assert (tmp_path / "features.safetensors").exists() and found.best("ACC") is None and set(found.figures("ACC")) == {"k"}


def test_stacked_digits_are_judged_one_by_one(tmp_path, monkeypatch):
    from tacit.comparison import measures

    x = tacit.data.load("digits")
    write_idx(tmp_path / "train-images-idx3-ubyte", (x.read(0, 400)[:, 0] * 15).astype(np.uint8))
    write_idx(tmp_path / "train-labels-idx1-ubyte", x.labels[:400].astype(np.uint8))
    monkeypatch.setattr("tacit.metrics.train_classifier", partial(tacit.metrics.train_classifier, epochs=1, width=4))
    monkeypatch.setitem(measures.PROTOCOL, "stacked", 300)
    monkeypatch.chdir(tmp_path.parent)
    found = tacit.compare(
        {"g": gans()["plain"]}, f"stacked:{tmp_path.name}", out=tmp_path / "c", seeds=1, jobs=1, features="trained", **SMALL
    )
    r = found.results["g"][0]["measures"]
    assert list(r) == ["modes captured, of 1000", "reverse KL"] and 1 <= r["modes captured, of 1000"]["value"] <= 300
    judge = tacit.metrics.load_classifier(tmp_path / "c" / "features.safetensors")
    rows = tacit.load(tmp_path / "c" / "runs" / "g-0").sample(300, seed=0).transpose(0, 3, 1, 2)
    by_channel = np.stack([judge.predict(rows[:, c : c + 1]) for c in range(3)], 1)
    assert len({tuple(d) for d in by_channel}) == r["modes captured, of 1000"]["value"]


def test_names_say_what_is_not_the_default():
    gan = tacit.GAN(prior=tacit.Gaussian(8), critic_steps=2, networks=tacit.MLP(widths=(5, 6)))
    assert label(gan) == "gan networks.widths=5,6 critic-steps=2 prior.latent-dim=8"
    assert list(name_all([tacit.GAN(), tacit.WGANGP()])) == ["gan", "wgangp"]


def test_intervals_and_the_best():
    f = interval([0.2, 0.4, 0.9], 0.0, 1.0)
    reach = 4.302653 * np.std([0.2, 0.4, 0.9], ddof=1) / np.sqrt(3)
    assert f.value == pytest.approx(0.5) and f.low == 0.0 and f.high == 1.0 and reach > 0.5
    assert interval([3.0]).low is None
    a, b = Figure(1.0, low=0.9, high=1.1), Figure(1.3, low=1.2, high=1.4)
    assert best({"a": a, "b": b}, "FID") == "a" and best({"a": a, "b": b}, "precision") == "b"
    assert best({"a": a, "b": Figure(1.3, low=1.05, high=1.5)}, "FID") is None
    assert best({"a": a}, "FID") is None and best({"a": Figure(1.0), "b": b}, "FID") is None


REFUSED = {
    "nothing": ({}, {}, "no compositions"),
    "no system": ({"a": 3}, {}, "got int as 'a'"),
    "seed": (None, {"seed": 3}, "takes no seed"),
    "budget": (None, {"max_minutes": 1.0}, "another number of updates"),
    "precision": (None, {"precision": "auto"}, "may choose differently"),
    "option": (None, {"stepz": 3}, "did you mean 'steps'"),
    "seeds": (None, {"seeds": (1, 1)}, "all different"),
    "samples": (None, {"samples": 1}, "2 or more"),
    "features": (None, {"features": "nowhere.safetensors"}, "nowhere.safetensors"),
    "networks": ({"a": tacit.GAN(networks=tacit.networks.DCGAN())}, {}, "expected pictures"),
    "packing": ({"a": tacit.GAN(), "odd": tacit.GAN(pack=3)}, {"batch_size": 16}, "odd: GAN got 16 rows at once with pack=3"),
    "steps": ({"a": tacit.GAN(), "b": tacit.GMMN()}, {"batch_size": None}, "different batch_size of their own (b 500, a 128)"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_anything_is_written(name, tmp_path):
    systems, options, message = REFUSED[name]
    with pytest.raises(tacit.InputError) as e:
        tacit.compare(gans() if systems is None else systems, "moons", out=tmp_path / "out", **{**SMALL, "seeds": 1, "jobs": 1, **options})
    said = str(e.value)
    assert message in said and "\n" not in said and ";" in said, said
    assert not (tmp_path / "out").exists()


def test_data_in_memory_is_refused(tmp_path):
    with pytest.raises(tacit.InputError, match="got ndarray as data; expected a path or a name"):
        tacit.compare(gans(), np.zeros((4, 2)), **SMALL)


def test_the_peak_is_of_this_fit_alone():
    if not tasks._reset_peak():
        pytest.skip("this system does not let a process reset its peak memory")
    before = tasks._peak()
    ballast = np.ones(60 << 17)
    held = tasks._peak()
    del ballast
    tasks._reset_peak()
    assert held - before > 50 and tasks._peak() < held - 50


def test_claims_set_generators_side_by_side(tmp_path, monkeypatch):
    from tacit.claims import Context
    from tacit.claims._generators import contest, summary

    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    said: list[str] = []
    context = Context(seeds=(0, 1), folder=tmp_path / "runs", say=said.append)
    found = contest(context, gans(), "ring8", steps=10, batch_size=16)
    assert list(found) == ["plain", "hinge"] and list(found["plain"]) == [0, 1]
    assert set(found["plain"][0]) == {"modes", "high-quality share", "reverse KL", "minutes"}
    mean, sd = summary(found, "reverse KL")["plain"]
    assert mean == pytest.approx(np.mean([found["plain"][s]["reverse KL"] for s in (0, 1)])) and sd >= 0
    model = tacit.fit(gans()["plain"], "ring8", seed=1, steps=10, batch_size=16, precision="float32")
    from tacit.claims._generators import measured

    alone = measured(model, "ring8", {}, 10_000, 1, None)
    assert alone == {k: v for k, v in found["plain"][1].items() if k != "minutes"}

