"""A trained model on new data, from the command line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tacit as library
from tacit.core.part import names


def rows(path: Path) -> list[list[str]]:
    with open(path, newline="") as f:
        return list(csv.reader(f))


def test_labels_have_a_header_ids_first_and_the_cluster_last(tacit: Callable, shop: Path, tmp_path: Path) -> None:
    answer = tacit("cluster", shop / "km", shop / "new.csv", "-o", tmp_path / "l.csv")
    assert answer.code == 0 and "10 rows" in answer.err
    found = rows(tmp_path / "l.csv")
    assert found[0] == ["id", "cluster"]
    assert [r[0] for r in found[1:]] == [f"r{i:03d}" for i in range(10)]
    with_labels = tacit("cluster", shop / "km", shop / "table.csv").out.splitlines()
    assert with_labels[0] == "id,cluster" and len(with_labels) == 91
    assert [line.split(",") for line in with_labels[1:11]] == found[1:]
    assert {line.split(",")[1] for line in with_labels[1:]} == {"0", "1", "2"}


def test_rows_without_names_are_numbered(tacit: Callable, shop: Path, tmp_path: Path) -> None:
    assert tacit("cluster", shop / "cg", "digits", "-o", tmp_path / "l.csv").code == 0
    found = rows(tmp_path / "l.csv")
    assert [int(r[0]) for r in found[1:]] == list(range(1797))
    assert np.array_equal([int(r[1]) for r in found[1:]], library.load(shop / "cg").cluster("digits"))


def test_encode_npy_and_csv_agree(tacit: Callable, shop: Path, tmp_path: Path) -> None:
    assert tacit("encode", shop / "ae", "digits", "-o", tmp_path / "z.npy").code == 0
    assert tacit("encode", shop / "ae", "digits", "-o", tmp_path / "z.csv").code == 0
    codes, found = np.load(tmp_path / "z.npy"), rows(tmp_path / "z.csv")
    assert codes.shape == (1797, 3) and found[0] == ["id", "z0", "z1", "z2"]
    assert np.allclose(np.array(found[1:], float)[:, 1:], codes)


def test_flat_rows_are_taken_as_the_pictures_that_were_learnt(tacit: Callable, shop: Path, tmp_path: Path) -> None:
    digits = library.data.load("digits")
    np.save(tmp_path / "flat.npy", digits.read(0, 20).reshape(20, 64))
    answer = tacit("cluster", shop / "cg", tmp_path / "flat.npy", "--shape", "8,8")
    assert answer.code == 0
    assert [int(r.split(",")[1]) for r in answer.out.splitlines()[1:]] == library.load(shop / "cg").cluster("digits")[:20].tolist()


def test_sample_arrays_tables_and_pictures(tacit: Callable, shop: Path, tmp_path: Path) -> None:
    assert tacit("sample", shop / "cg", "-n", 5, "-o", tmp_path / "s.npy", "--seed", 2).code == 0
    found = np.load(tmp_path / "s.npy")
    assert np.array_equal(found, library.load(shop / "cg").sample(5, seed=2))
    assert tacit("sample", shop / "gan", "-n", 6, "-o", tmp_path / "s.csv").code == 0
    assert len(rows(tmp_path / "s.csv")) == 7 and rows(tmp_path / "s.csv")[0][0] == "id"
    assert tacit("sample", shop / "cg", "-n", 5, "-o", tmp_path / "s.png").code == 0
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.mode == "L" and sheet.size == (3 * 66 + 2, 2 * 66 + 2)
        assert np.asarray(sheet)[:, -60:][70:].min() == 255  # the sixth place of five pictures is blank


def test_evaluate_clusters_and_generators(tacit: Callable, shop: Path, tmp_path: Path) -> None:
    answer = tacit("evaluate", shop / "km", shop / "table.csv", "--json", "-o", tmp_path / "e.json")
    assert answer.code == 0
    found = json.loads(answer.out)
    assert found == json.loads((tmp_path / "e.json").read_text())
    assert found["figures"]["ACC"]["value"] == 1.0 and found["figures"]["purity"]["n"] == 90
    assert {"NMI", "ARI"} < set(found["figures"])
    shown = tacit("evaluate", shop / "gan", "ring8", "-n", 300)
    assert shown.code == 0
    for name in ("FID", "KID", "precision", "recall", "density", "coverage", "modes captured", "high-quality share"):
        assert name in shown.out


def test_evaluate_on_features_of_a_classifier(tacit: Callable, shop: Path, tmp_path: Path) -> None:
    assert tacit("features", "digits", "-o", tmp_path / "f.safetensors", "--epochs", 1).code == 0
    words = ("evaluate", shop / "cg", "digits", "-n", 200, "--json")
    pixels = json.loads(tacit(*words).out)["figures"]
    answer = tacit(*words, "--features", tmp_path / "f.safetensors")
    assert answer.code == 0, answer
    assert json.loads(answer.out)["figures"]["FID"]["value"] != pytest.approx(pixels["FID"]["value"])


def test_systems_lists_all_of_them(tacit: Callable) -> None:
    found = json.loads(tacit("systems", "--json").out)
    assert {r["name"] for r in found} == set(names("system"))
    assert all(r["family"] and r["what"] and r["can"] and r["paper"] for r in found)
    shown = tacit("systems").out
    assert all(r["name"] in shown for r in found)


def test_cite_a_system_and_a_run(tacit: Callable, shop: Path) -> None:
    text = tacit("cite", "wgan-gp").out
    assert text.splitlines()[0].startswith("wgangp: Gulrajani et al. 2017, Improved Training of Wasserstein GANs")
    assert "1701.07875" in text and "1412.6980" in text and "1406.2661" not in text.splitlines()[0]
    bib = tacit("cite", shop / "cg", "--bibtex").out
    assert "@misc{mukherjee2019clustergan," in bib and "eprint = {1809.03627}" in bib
    assert bib.count("{") == bib.count("}")


def test_every_system_can_be_cited() -> None:
    from tacit.cite import papers
    from tacit.core.part import get

    for name in names("system"):
        found = papers(get("system", name)())
        assert found and found[0].of == get("system", name).name, name
        assert len({p.key() for p in found}) == len(found)


def test_report_is_written_by_fit_and_again_by_command(tacit: Callable, shop: Path, tmp_path: Path) -> None:
    words = ("--networks.widths", "8", "--steps", 2, "--device", "cpu")
    answer = tacit("fit", "gan", shop / "flat.npy", "-o", tmp_path / "r", *words)
    assert answer.code == 0
    page = tmp_path / "r" / "report.html"
    assert "<html" in page.read_text().lower(), answer.err
    assert f"next: open {page}" in answer.err
    page.unlink()
    assert tacit("report", tmp_path / "r").code == 0
    assert page.exists()


def test_report_of_other_data(tacit: Callable, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("tacit.report.write", lambda run, **kw: asked.append((run, kw)) or run / "report.html")
    assert tacit("report", shop / "km", shop / "new.csv", "--columns", "a,b,c").code == 0
    assert asked == [(shop / "km", {"data": str(shop / "new.csv"), "load": {"id": "name", "columns": ["a", "b", "c"]}})]
    assert tacit("report", shop / "km", "moons").code == 2


def test_a_report_that_fails_does_not_fail_the_fit(tacit: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(run: Path, **kw: object) -> Path:
        raise RuntimeError("no ink")

    monkeypatch.setattr("tacit.report.write", broken)
    answer = tacit("fit", "kmeans", "moons", "-o", tmp_path / "r", "--n-clusters", 2)
    assert answer.code == 0 and "no ink" in answer.err and f"tacit report {tmp_path / 'r'}" in answer.err


def test_invert_csv_and_npy_agree_with_the_model(tacit: Callable, shop: Path, tmp_path: Path) -> None:
    few = tmp_path / "few.npy"
    np.save(few, library.data.load("digits").read(0, 5))
    words = ("invert", shop / "cg", few, "--steps", 3, "--starts", 2, "--seed", 4)
    assert tacit(*words, "-o", tmp_path / "z.csv").code == 0 and tacit(*words, "-o", tmp_path / "z.npy").code == 0
    want = library.load(shop / "cg").invert(np.load(few), seed=4, options={"steps": 3, "starts": 2})
    found = rows(tmp_path / "z.csv")
    assert found[0] == ["id", "category", "loss", *(f"z{i}" for i in range(40))] and len(found) == 6
    assert [int(r[1]) for r in found[1:]] == want.category.tolist()
    assert np.allclose(np.array([r[2:] for r in found[1:]], float), np.c_[want.loss, want.codes], rtol=1e-5)
    assert np.allclose(np.load(tmp_path / "z.npy"), want.codes)
    np.save(tmp_path / "flat.npy", library.data.load("ring8").read(0, 4))
    shown = tacit("invert", shop / "gan", tmp_path / "flat.npy", "--steps", 2, "--form", "plain")
    assert shown.code == 0 and {line.split(",")[1] for line in shown.out.splitlines()[1:]} == {"-1"}


@pytest.mark.parametrize(("words", "told"), [
    ("invert km table.csv", "cannot decode"), ("invert gan ring8 --start encoder", "cannot encode"),
    ("invert cg digits --form other", "form='other'"), ("invert cg digits --steps 0", "steps=0"),
    ("invert cg digits --lr fast", "--lr got 'fast'"),
    ("invert ae digits", "start at the encoder"), ("invert cg digits -o z.txt", ".npy or .csv"),
])  # fmt: skip
def test_invert_refuses(tacit: Callable, shop: Path, monkeypatch: pytest.MonkeyPatch, words: str, told: str) -> None:
    monkeypatch.chdir(shop)
    answer = tacit(*words.split())
    assert answer.code == 2 and told in answer.err


def test_interpolate_between_draws_and_between_rows(tacit: Callable, shop: Path, tmp_path: Path) -> None:
    words = ("interpolate", shop / "cg", "--paths", 3, "--points", 4, "--seed", 5)
    assert tacit(*words, "-o", tmp_path / "a.npy").code == 0 and tacit(*words, "--within", "-o", tmp_path / "w.npy").code == 0
    across, within = np.load(tmp_path / "a.npy"), np.load(tmp_path / "w.npy")
    assert across.shape == within.shape == (3, 4, 8, 8)
    np.testing.assert_array_equal(across[:, 0], within[:, 0])
    assert (across[:, -1] != within[:, -1]).any()
    few = tmp_path / "few.npy"
    np.save(few, library.data.load("digits").read(0, 5))
    assert tacit("interpolate", shop / "ae", few, "--points", 4, "-o", tmp_path / "d.npy").code == 0
    model = library.load(shop / "ae")
    want = model.reconstruct(np.load(few)[:4])
    found = np.load(tmp_path / "d.npy")
    assert found.shape == (2, 4, 8, 8)
    np.testing.assert_allclose(found[:, [0, -1]].reshape(4, 8, 8), want, atol=1e-4)
    assert tacit(*words, "-o", tmp_path / "a.png").code == 0
    with Image.open(tmp_path / "a.png") as sheet:
        assert sheet.size == (4 * 66 + 2, 3 * 66 + 2)


@pytest.mark.parametrize(("words", "told"), [
    ("interpolate cg", "no -o"), ("interpolate cg -o z.txt", ".npy or .png"), ("interpolate km -o z.npy", "cannot decode"),
    ("interpolate gan -o z.png", "expected pictures"), ("interpolate gan -o z.npy --within", "has no category"),
    ("interpolate ae -o z.npy", "draws no latents"), ("interpolate cg digits -o z.npy --within", "--within beside data"),
    ("interpolate cg -o z.npy --points 1", "points=1"), ("interpolate cg -o z.npy --paths 0", "--paths got '0'"),
    ("interpolate cg -o z.npy --how round", "'round'"), ("interpolate gan ring8 -o z.npy", "cannot encode"),
])  # fmt: skip
def test_interpolate_refuses(tacit: Callable, shop: Path, monkeypatch: pytest.MonkeyPatch, words: str, told: str) -> None:
    monkeypatch.chdir(shop)
    answer = tacit(*words.split())
    assert answer.code == 2 and told in answer.err and not list(shop.glob("z.*"))
