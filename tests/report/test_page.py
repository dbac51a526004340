"""The page: whole, self-contained, escaped, the same every time, for every kind of run."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass

import numpy as np
import pytest
import torch

import tacit
from support import Page
from tacit.report import write

EVERYWHERE = {"options", "papers", "cost", "next"}
SECTIONS = {
    "kmeans": {"samples", "clusters", "map", "labels"},
    "vae": {"samples", "reconstructions", "map", "walks", "scores", "curves"},
    "plane": {"samples", "reconstructions", "map", "walks", "scores", "curves"},
    "ring": {"samples", "curves"},
    "gan": {"samples", "map", "curves"},
    "clustergan": {"samples", "clusters", "reconstructions", "map", "labels", "walks", "curves"},
    "table": {"samples", "clusters", "map", "labels", "scores"},
    "moons": set(),
}


def blob(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


@pytest.mark.parametrize("name", SECTIONS)
def test_every_kind_of_run_has_its_sections(pages, name):
    page = Page(pages[name])
    assert page.sections == SECTIONS[name] | EVERYWHERE
    assert len(page.ids) == len(set(page.ids))
    assert all(link[1:] in page.ids for link in page.links if link.startswith("#"))


@pytest.mark.parametrize("name", SECTIONS)
def test_nothing_comes_from_outside(pages, name):
    text = pages[name]
    assert all(v.startswith(("data:", "#")) for v in Page(text).links)
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|import\(", text)
    assert set(re.findall(r"https?://[^\s\"'<)]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert "default-src 'none'" in text
    assert len(text) < 2_000_000


@pytest.mark.parametrize("name", SECTIONS)
def test_people_who_do_not_see_it(pages, name):
    text = pages[name]
    page = Page(text)
    assert '<html lang="en">' in text and 'name="viewport"' in text and "prefers-color-scheme: dark" in text
    assert all(len(a.get("alt", "")) > 10 for a in page.images)
    assert all(s["label"] for s in blob(text)["scatters"].values())
    assert text.count("<h1") == 1


def test_names_from_data_are_escaped(pages):
    text = pages["table"]
    page = Page(text)
    assert "alert('x')" in page.text and "</script><b>oak</b>" in page.text
    assert "<script>alert" not in text and "<b>oak" not in text
    assert text.count("</script>") == 2
    fields = blob(text)["scatters"]["map"]["fields"]["names"]
    assert "<script>alert('x')</script>&\"quotes\"" in fields


def test_the_map_shows_the_codes_of_the_rows_it_names(runs, pages):
    model, d = tacit.load(runs["plane"]), blob(pages["plane"])["scatters"]["map"]
    assert [v["name"] for v in d["views"]] == ["as it is", "PCA"]
    assert [t["name"] for t in d["tints"]] == ["label", "score", "code 1", "code 2"]
    digits = tacit.data.load("digits")
    codes, view = model.encode("digits"), d["views"][0]
    assert len(view["x"]) == 1797
    for i in (0, 7, 1796):
        row = int(d["ids"][i].removeprefix("row "))
        low, high = np.array(view["low"]), np.array(view["high"])
        np.testing.assert_allclose(
            low + np.array([view["x"][i], view["y"][i]]) / 9999 * (high - low), codes[row], atol=1e-3 * np.ptp(codes)
        )
        assert d["tints"][0]["names"][d["tints"][0]["values"][i]] == str(digits.labels[row])
        assert [d["tints"][2 + j]["values"][i] for j in (0, 1)] == pytest.approx(codes[row].tolist(), rel=2e-2, abs=1e-3)


def test_the_map_is_coloured_by_cluster_by_label_and_by_the_widest_codes(runs, pages):
    d, codes = blob(pages["clustergan"])["scatters"]["map"], tacit.load(runs["clustergan"]).encode("digits")
    widest = sorted(np.argsort(-codes.std(0))[:3])
    assert [t["name"] for t in d["tints"]] == ["cluster", "label", *(f"code {j + 1}" for j in widest)]
    assert [t["kind"] for t in d["tints"]] == ["group", "group", "number", "number", "number"]
    assert d["sprites"]["src"].startswith("data:image/") and all(len(t["values"]) == len(d["ids"]) for t in d["tints"])


def told(page):
    """Captions of the walks."""
    text = re.search(r'<section id="walks".*?</section>', page, re.DOTALL)[0]
    return [re.sub("<.*?>", "", c) for c in re.findall(r"<figcaption>.*?</figcaption>", text, re.DOTALL)]


def test_walks_go_across_and_inside_and_by_the_prior(pages, tmp_path):
    first = told(pages["clustergan"])
    assert "straight" in first[0] and any("prior draws; the category changes half way" in c for c in first[1:])
    assert len(told(pages["vae"])) == 2 and len(told(pages["plane"])) == 1, "the path of a Gaussian prior is the arc"
    system = tacit.ClusterGAN(n_clusters=3, prior=tacit.Uniform(5), networks=tacit.networks.MLP(widths=(16,)))
    again = told(write(system.fit("digits", steps=3), "digits", out=tmp_path / "u.html", methods=[]).read_text(encoding="utf-8"))
    starts = ("Each line goes straight", "The same ends, along arcs", "The same ends, through codes", "Inside each cluster")
    assert len(again) == 4 and all(map(str.startswith, again, starts)) and "half way" not in again[2]


def test_figures_are_those_of_the_measures(runs, pages):
    digits = tacit.data.load("digits")
    clusters = tacit.load(runs["kmeans"]).cluster(digits)
    text = Page(pages["kmeans"]).text
    for measure in (tacit.metrics.accuracy, tacit.metrics.nmi, tacit.metrics.ari, tacit.metrics.purity):
        assert f"{float(measure(digits.labels, clusters)):.4f}" in text
    table = tacit.metrics.contingency(digits.labels, clusters).table
    cells = [
        int(v.replace(",", ""))
        for v in re.findall(r'<td class="[^"]*" style="background:rgba\(var\(--heat\),[^"]*">([\d,]+)</td>', pages["kmeans"])
    ]
    assert sorted(cells) == sorted(table.ravel().tolist())
    for size in np.bincount(clusters):
        assert f"{size:,} rows, {100 * size / 1797:.1f} %" in text


def test_curves_are_those_of_the_log(runs, pages):
    lines = [json.loads(x) for x in (runs["vae"] / "log.jsonl").read_text().splitlines()]
    groups = blob(pages["vae"])["curves"]["groups"]
    assert [g["player"] for g in groups] == ["vae", "run"]
    curve = {c["name"]: c for c in groups[0]["curves"]}
    assert set(curve) == {"likelihood", "kl", "loss"}
    assert curve["kl"]["last"] == pytest.approx(lines[-1]["vae/kl"], rel=1e-4)
    assert curve["kl"]["step"][-1] == 30


def test_options_papers_cost_and_commands(runs, pages):
    text = Page(pages["vae"]).text
    assert "latent_dim 4 (changed)" in text and "networks.widths 32 (changed)" in text and "beta 1.0" in text
    assert "Kingma & Welling 2014, Auto-Encoding Variational Bayes, arXiv:1312.6114" in text
    assert "MiB" in text and "steps/s" in text and "30" in text
    assert f"tacit encode {runs['vae']} digits" in text and "tacit cluster" not in text
    assert f"tacit cluster {runs['kmeans']} digits -o labels.csv" in Page(pages["kmeans"]).text


def test_modes_of_a_known_world_are_counted(pages):
    assert re.search(r"modes captured \d of 8", Page(pages["ring"]).text)


def test_the_same_arguments_give_the_same_page(runs, tmp_path):
    kinds = dict(methods=[], max_points=300)
    first = write(runs["clustergan"], out=tmp_path / "a.html", **kinds).read_bytes()
    assert first == write(runs["clustergan"], out=tmp_path / "b.html", **kinds).read_bytes()
    assert first != write(runs["clustergan"], out=tmp_path / "c.html", seed=1, **kinds).read_bytes()


def test_few_points_and_few_rows_are_kept_and_said(runs, tmp_path):
    text = write(runs["kmeans"], out=tmp_path / "r.html", max_points=50, max_rows=400, methods=[]).read_text()
    assert len(blob(text)["scatters"]["map"]["ids"]) == 50
    assert "400 of 1,797 rows" in Page(text).text


def test_data_in_memory_is_asked_for(runs, pages, tmp_path):
    assert "array in memory" in Page(pages["moons"]).text
    rows = tacit.data.load("moons").take(np.arange(200))
    text = write(runs["moons"], rows, out=tmp_path / "r.html", methods=[]).read_text()
    assert Page(text).sections >= {"samples", "clusters", "map", "labels"}


def test_data_that_is_gone_is_a_note(runs, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(runs["table"], folder)
    config = json.loads((folder / "config.json").read_text())
    config["data"]["source"] = str(tmp_path / "gone.csv")
    (folder / "config.json").write_text(json.dumps(config))
    page = Page(write(folder, methods=[]).read_text())
    assert "could not be read" in page.text and page.sections == {"samples"} | EVERYWHERE


def test_data_that_has_changed_is_a_note(runs, table_csv, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(runs["table"], folder)
    config = json.loads((folder / "config.json").read_text())
    config["data"]["source"] = str(tmp_path / "less.csv")
    (tmp_path / "less.csv").write_text("".join(table_csv.read_text().splitlines(keepends=True)[:101]))
    (folder / "config.json").write_text(json.dumps(config))
    assert "100 rows now and had 150" in Page(write(folder, methods=[]).read_text()).text


def test_a_model_without_a_folder_needs_out(tmp_path):
    model = tacit.fit(tacit.KMeans(n_clusters=2, n_init=1), "moons")
    with pytest.raises(tacit.InputError, match="out"):
        write(model, "moons")
    page = Page(write(model, "moons", out=tmp_path, methods=[]).read_text())
    assert (tmp_path / "report.html").exists() and "clusters" in page.sections


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": ["tnse"]}, "did you mean 'tsne'"),
        ({"max_points": 3}, "max_points"),
        ({"seed": -1}, "seed"),
        ({"data": "moons"}, "shape|kind"),
    ],
)
def test_bad_arguments_write_nothing(runs, tmp_path, options, message):
    with pytest.raises(tacit.InputError, match=message):
        write(runs["kmeans"], **{"out": tmp_path / "r.html", **options})
    assert not list(tmp_path.iterdir())


def test_no_run_there(tmp_path):
    with pytest.raises(tacit.InputError, match="no model"):
        write(tmp_path)
    with pytest.raises(tacit.InputError, match="run folder or a Model"):
        write(3)


@pytest.mark.parametrize(
    ("status", "words"), [("diverged", "last good weights"), ("interrupted", "tacit resume"), ("stopped early", "callback")]
)
def test_a_run_that_is_not_finished_says_so_first(runs, tmp_path, status, words):
    folder = tmp_path / "run"
    shutil.copytree(runs["vae"], folder)
    card = json.loads((folder / "system.json").read_text())
    card["info"]["status"] = status
    (folder / "system.json").write_text(json.dumps(card))
    text = Page(write(folder, methods=[]).read_text()).text
    assert words in text[: text.index("Samples")]


def test_a_killed_run_shows_its_curves(runs, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(runs["vae"], folder)
    (folder / "system.json").unlink()
    page = Page(write(folder).read_text())
    assert page.sections == {"curves"} | EVERYWHERE
    assert "not finished" in page.text and f"tacit resume {folder}" in page.text


@dataclass(frozen=True, kw_only=True)
class Broken(tacit.KMeans):
    """A system whose uses fail."""

    def cluster(self, n, x, rng):
        raise RuntimeError("no <b>luck</b>")

    def score(self, n, x, rng):
        return torch.full((len(x),), float("nan"))

    def predict(self, n, x, rng):
        return (self.encode(n, x, rng).argmin(1) == 0).long()


def test_a_system_that_fails_at_a_use_still_has_a_report(tmp_path):
    model = tacit.fit(Broken(n_clusters=2, n_init=1), "moons")
    text = write(model, "moons", out=tmp_path / "r.html", methods=[]).read_text()
    page = Page(text)
    assert "'cluster' failed: RuntimeError: no <b>luck</b>" in page.text and "no <b>luck" not in text
    assert "'score' gave NaN or infinity for" in page.text
    assert "predicted class" in page.text and "labels" in page.sections


def test_sequences_and_colour_pictures(tmp_path):
    rng = np.random.default_rng(0)
    for x in (rng.integers(0, 255, (40, 8, 8, 3), dtype=np.uint8), tacit.data.load(rng.normal(size=(30, 12, 5)), kind="sequence")):
        model = tacit.fit(tacit.KMeans(n_clusters=3, n_init=1), x)
        page = Page(write(model, x, out=tmp_path / "r.html", methods=[]).read_text())
        assert {"samples", "clusters", "map"} <= page.sections and page.images
