"""The study as a whole on small planted groups, and its parts against closed forms."""

from __future__ import annotations

import csv
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import tacit
from tacit.study import candidates, judge, number, rows, views, work

SIZES = (60, 50, 30)


def groups(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three groups of 140 rows in all, well apart, in random order."""
    rng = np.random.default_rng(seed)
    means = 9.0 * np.eye(3)
    y = rng.permutation(np.repeat(np.arange(3), SIZES))
    return (means[y] + rng.normal(size=(len(y), 3))).astype(np.float32), y


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[tacit.study.Study, Path]:
    """A study of the groups under labels that have nothing to do with them."""
    x, _ = groups()
    folder = tmp_path_factory.mktemp("study") / "out"
    wrong = np.random.default_rng(5).integers(2, size=len(x))
    return tacit.cluster_study((x, wrong), out=folder), folder


def test_the_groups_are_found_and_counted(found):
    study, _ = found
    _, y = groups()
    assert study.n_clusters == study.suggestion.k == 3 and study.suggestion.rules["eigengap"] == study.suggestion.rules["stability"] == 3
    assert float(tacit.metrics.accuracy(y, study.labels)) == 1.0
    assert sorted(np.bincount(study.labels)) == sorted(SIZES)
    assert study.sure == "quite sure" and study.agreement == 1.0 and study.chosen.rank == 1
    assert study.chosen.scores["stability"] == 1.0
    assert any("fewer than" in n or "not installed" in n for n in study.notes)


def test_labels_are_read_nowhere(found):
    """The same rows without labels give the same answer to the last weight; the figures beside wrong labels are chance."""
    study, _ = found
    again = tacit.cluster_study(groups()[0])
    np.testing.assert_array_equal(again.labels, study.labels)
    for k, v in study.model.nets.state().items():
        assert (v == again.model.nets.state()[k]).all()
    assert again.known == {} and study.known["ARI"] < 0.2
    assert [c.name for c in again.candidates] == [c.name for c in study.candidates]


def test_the_folder_is_one_model_with_its_page(found):
    study, folder = found
    x, _ = groups()
    new, y = groups(1)
    model = tacit.load(folder)
    np.testing.assert_array_equal(model.cluster(x), study.labels)
    np.testing.assert_array_equal([model.cluster(x[i : i + 1])[0] for i in range(5)], study.labels[:5])
    assert float(tacit.metrics.accuracy(y, model.cluster(new))) == 1.0
    listed = list(csv.DictReader((folder / "labels.csv").open()))
    assert [int(r["cluster"]) for r in listed] == study.labels.tolist()
    assert [r["leftover"] == "1" for r in listed] == study.leftovers.tolist()
    facts = json.loads((folder / "study.json").read_text())
    assert facts["n_clusters"] == 3 and facts["sizes"] == np.bincount(study.labels).tolist() and "labels, not used" in facts
    page = (folder / "study.html").read_text()
    for title in ("Clusters", "Map", "How the choice was made", "What disagrees", "How many clusters", "Leftovers", "Labels, not used"):
        assert f">{title}" in page, title
    assert "They were not used" in page and "label (not used)" in page
    with pytest.raises(tacit.InputError, match="already holds a study"):
        tacit.cluster_study(x, out=folder)


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (np.zeros((50, 3), np.float32), {}, "all alike"),
        (np.random.default_rng(0).normal(size=(9, 3)), {}, "expected at least 20"),
        (np.random.default_rng(0).normal(size=(40, 3)), {"counts": True}, "expected counts of 0 or more"),
        (np.random.default_rng(0).normal(size=(40, 3)), {"n_clusters": 20}, "at least 5 rows for each"),
        (np.random.default_rng(0).normal(size=(40, 3)), {"seed": -1}, "0 or more"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence_and_nothing_is_written(data, options, message, tmp_path):
    with pytest.raises(tacit.InputError, match=message) as e:
        tacit.cluster_study(data, out=tmp_path / "out", **options)
    assert "\n" not in str(e.value) and str(e.value).count(";") >= 1
    assert not (tmp_path / "out").exists()


def test_the_command_refuses_before_it_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from tacit.cli import main

    for words, said in (
        (["nowhere.csv"], "nowhere.csv"), (["moons", "--k", "x"], "--k got 'x'"), (["moons", "--k", "1"], "n_clusters=1"),
        (["moons", "--most-rows", "3"], "most_rows=3"),
    ):  # fmt: skip
        assert main(["cluster-study", *words, "-o", str(tmp_path / "out")]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


# ---------------------------------------------------------------- parts


def test_eigenvalues_that_stand_twice_are_seen_twice():
    """A graph of two parts: L_sym has the eigenvalue 0 twice, and the map sends each part to one point."""
    rng = np.random.default_rng(0)
    a, b = (np.abs(rng.normal(size=(n, n))) for n in (700, 400))
    graph = sp.block_diag([a + a.T, b + b.T]).tocsr()
    values, rows_ = views.spectral_map(graph, 4, 0)
    d = np.asarray(graph.sum(1)).ravel()
    whole = np.eye(1100) - graph.toarray() / np.sqrt(d[:, None] * d[None])
    np.testing.assert_allclose(values, np.sort(np.linalg.eigvalsh(whole))[:4], atol=1e-6)
    two = views.spectral_map(graph, 2, 0)[1]
    cosine = np.abs(two @ two.T)
    assert np.allclose(cosine[:700, :700], 1) and np.allclose(cosine[700:, 700:], 1) and np.allclose(cosine[:700, 700:], 0)
    assert rows_.shape == (1100, 4)


def test_votes_are_aligned_and_shared():
    a = np.array([0, 0, 1, 1, 2, 2])
    labels, share = candidates.vote([np.array([1, 1, 2, 2, 0, 0]), np.array([2, 2, 0, 1, 1, 1]), a])
    np.testing.assert_array_equal(labels, a)
    np.testing.assert_allclose(share, [1, 1, 1, 2 / 3, 1, 1])


def test_repetitions_share_rows_and_agree_where_they_are_equal():
    at = judge.samples(1000, 0, 3, 200)
    assert all(len(a) == 200 and (np.diff(a) > 0).all() for a in at)
    assert min(len(np.intersect1d(at[0], a)) for a in at[1:]) > 100
    y = np.arange(1000) % 7
    assert judge.repeatability([(a, y[a]) for a in at]) == 1.0
    assert abs(judge.repeatability([(a, np.random.default_rng(i).integers(7, size=200)) for i, a in enumerate(at)])) < 0.1


def test_parts_that_nothing_joins_are_the_number_of_clusters():
    x = np.concatenate([np.random.default_rng(0).normal(c, 0.1, (40, 2)) for c in (0.0, 5.0, 10.0, 15.0)]).astype(np.float32)
    seen = views.views(rows.prepare(tacit.data.load(x), False, 0, 1000), 0, lambda text: None)
    s = number.suggest(seen, 0, most_k=8, repeats=2)
    assert s.rules["eigengap"] == 4 and s.components == [40, 40, 40, 40] and s.k == 4


def test_groups_that_touch_are_counted_within_parts_that_do_not():
    x = [np.random.default_rng(i).normal((at, 0, 0, 0), 1.0, (150, 4)) for i, at in enumerate((0.0, 7.0, 27.0, 34.0))]
    base = views.look("rows", np.concatenate(x).astype(np.float32))
    graphs = [views.View(f"rows, {k} neighbours", base.points, base.near, k) for k in (7, 15)]
    s = number.suggest(views.Views([base, *graphs], 0), 0, most_k=12)
    assert s.rules["eigengap"] == 2 and s.components == [300, 300]
    assert s.k == 4 and s.certain


def figures(stability, elbow_at):
    """The table of a study whose modularity grows to the last k, its gain much until ``elbow_at``."""
    rows = [{"k": k, "stability": s, "modularity": k / 100, "gap": float(k == 3)} for k, s in enumerate(stability, 2)]
    return [row | {"gain": 1.0 if row["k"] <= elbow_at else 0.1} for row in rows]


def test_of_a_coarse_number_and_a_finer_one_the_finer_goes_where_most_of_it_is_found():
    coarse = [1.0, 0.6, 0.7, 0.99, 0.8, 0.9]
    s = number.decide(figures([*coarse, 0.85, 0.7], 8), [])
    assert (s.k, s.certain, s.rules) == (8, False, {"eigengap": 3, "stability": 5, "modularity": 8})
    s = number.decide(figures([*coarse, 0.75, 0.7], 8), [])
    assert (s.k, s.certain) == (5, True)
    s = number.decide(figures([1.0, 0.99, 0.9, 0.9], 4), [])
    assert (s.k, s.certain, s.rules) == (3, True, {"eigengap": 3, "stability": 3, "modularity": 4})
    s = number.decide(figures([0.9, 0.95, 0.86, 0.5, 0.4], 5), [])
    assert (s.k, s.certain, s.rules["stability"]) == (5, False, 4)
    s = number.decide(figures([0.9, 0.99, 0.86, 0.5, 0.4], 2), [70, 30])
    assert (s.k, s.certain, s.rules["eigengap"]) == (3, True, 2)


def test_curves_are_not_cut_into_as_many_parts_as_one_likes():
    seen = views.views(rows.prepare(tacit.data.load("circles"), False, 0, 10_000), 0, lambda text: None)
    s = number.suggest(seen, 0, most_k=20, repeats=2)
    # Two of the rules see the curve and not the two circles.
    assert s.k == 2 and s.certain and min(s.rules["eigengap"], s.rules["modularity"]) > 10


def test_the_choice_is_the_best_separated_of_those_that_come_out_the_same():
    """Two sizes, far apart: halving the large group has the larger modularity, and is another half each time."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(3), [300, 30, 30])
    x = (20.0 * np.eye(3)[y] + rng.normal(size=(len(y), 3))).astype(np.float32)
    seen = views.views(rows.prepare(tacit.data.load(x), False, 0, 1000), 0, lambda text: None)

    def halved(v: views.Views, k: int, seed: int) -> np.ndarray:
        points = v.rows.points
        large = points[:, 0] - points[:, 1:].max(1) > 0
        turn = np.random.default_rng(seed).normal(size=3)
        return np.where(large, (points - points[large].mean(0)) @ turn > 0, 2).astype(np.int64)

    def whole(v: views.Views, k: int, seed: int) -> np.ndarray:
        return v.rows.points.argmax(1)

    tried = [candidates.Candidate(n, f(seen, 3, 0), refit=f) for n, f in (("halved", halved), ("whole", whole))]
    chosen = judge.judge(tried, seen, 3, 0, lambda text: None)
    assert tried[0].scores["modularity"] > tried[1].scores["modularity"] and tried[0].scores["stability"] < 0.9
    assert chosen is tried[1] and [c.rank for c in tried] == [2, 1]


def test_clusters_that_nothing_joins_are_chosen_whatever_their_sizes():
    """A long curve and a short one: halving the long one has the larger modularity and comes out the same each time."""
    t = np.r_[np.linspace(0, 10, 400), np.linspace(0, 1, 40)].astype(np.float32)
    y = np.repeat([0, 1], [400, 40])
    seen = views.views(rows.prepare(tacit.data.load(np.c_[t, 5.0 * y].astype(np.float32)), False, 0, 1000), 0, lambda text: None)

    def halved(v: views.Views, k: int, seed: int) -> np.ndarray:
        return (v.rows.points[:, 0] > np.median(v.rows.points[:, 0])).astype(np.int64)

    def whole(v: views.Views, k: int, seed: int) -> np.ndarray:
        return (v.rows.points[:, 1] > v.rows.points[:, 1].mean()).astype(np.int64)

    tried = [candidates.Candidate(n, f(seen, 2, 0), refit=f) for n, f in (("halved", halved), ("whole", whole))]
    chosen = judge.judge(tried, seen, 2, 0, lambda text: None)
    assert tried[0].scores["modularity"] > tried[1].scores["modularity"] and tried[0].scores["stability"] > 0.9
    assert chosen is tried[1] and chosen.scores["cut"] < 1e-9 < 1e-3 < tried[0].scores["cut"]


def test_counts_are_told_from_other_numbers():
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.3, size=(60, 80)).astype(np.float32)
    counts[0, 0] = 9
    assert rows.looks_like_counts(counts) and not rows.looks_like_counts(counts + 0.5) and not rows.looks_like_counts(counts[:, :40])
    found = rows.prepare(tacit.data.load(counts), True, 0, 1000)
    assert found.flat.shape == (60, 50) and any("divided by its total" in n for n in found.notes)
    total = counts.sum(1, keepdims=True)
    logs = np.log1p(1e4 * counts / total)
    # Distances among all components are those of the logarithms, in one unit.
    full = rows.prepare(tacit.data.load(counts[:, :50]), True, 0, 1000)
    logs = np.log1p(1e4 * counts[:, :50] / np.maximum(counts[:, :50].sum(1, keepdims=True), 1e-12))
    a, b = (np.linalg.norm(v[:1] - v[1:], axis=1) for v in (full.flat, logs))
    np.testing.assert_allclose(a / b, a[0] / b[0], rtol=1e-4)


def test_uneven_data_are_grouped_by_coupling(monkeypatch: pytest.MonkeyPatch):
    """Two rows of one: 20 rows beside 400; coupling keeps the small group whole where the number of clusters is right."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [400, 400, 40])
    x = (np.array([[0.0, 0], [6.0, 0], [3.0, 5.0]])[y] + rng.normal(size=(840, 2))).astype(np.float32)
    view = views.look("rows", x)
    small = candidates.cells(x, 3, 0)
    assert small.max() + 1 <= 120 and len(np.unique(small)) == small.max() + 1
    labels = candidates.grouped(view.graph, small, 3, 0, uneven=True)
    assert float(tacit.metrics.accuracy(y, labels)) > 0.97


def test_without_umap_it_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(candidates, "has_umap", lambda: False)
    seen = views.views(rows.prepare(tacit.data.load(groups()[0]), False, 0, 1000), 0, lambda text: None)
    got, notes = candidates.run(seen, rows.prepare(tacit.data.load(groups()[0]), False, 0, 1000), 3, 0, False, lambda text: None)
    assert "pip install 'tacit[umap]'" in notes[0]
    assert [c.name for c in got] == ["k-means", "Gaussian mixture", "k-NN spectral", "consensus of views"]




@pytest.mark.parametrize("where", ["between two fits", "within a fit"])
def test_a_study_that_was_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str):
    """Its fits are kept, one that was cut goes on from its checkpoint, the end is that of an unbroken study, and nothing is left over."""
    from tacit import engine
    from tacit.systems.autoencoders.autoencoder import Autoencoder

    rng = np.random.default_rng(0)
    x = (9.0 * np.eye(10)[rng.integers(3, size=120)] + rng.normal(size=(120, 10))).astype(np.float32)
    whole, out, draws, began = tacit.cluster_study(x, n_clusters=3), tmp_path / "out", [], []
    draw, fit = Autoencoder.draw, engine.fit

    def stopping(self, *args):
        draws.append(1)
        if where == "within a fit" and len(draws) == 180:
            os.kill(os.getpid(), signal.SIGINT)
        return draw(self, *args)

    def between(text: str) -> None:
        if where == "between two fits" and text == "autoencoder 2 of 3":
            raise KeyboardInterrupt

    def counted(system, *args, **options):
        began.append(system.name)
        return fit(system, *args, **options)

    with monkeypatch.context() as m:
        m.setattr(Autoencoder, "draw", stopping)
        with pytest.raises(tacit.errors.Interrupted, match="the same study again goes on from there") as e:
            tacit.cluster_study(x, n_clusters=3, out=out, say=between)
    assert e.value.exit_code == 130
    left = sorted(p.name for p in (out / work.NAME).iterdir())
    assert left == (["code-1"] if where == "between two fits" else ["code-1", "code-2"]) and not (out / "study.json").exists()
    monkeypatch.setattr(engine, "fit", counted)
    again = tacit.cluster_study(x, n_clusters=3, out=out)
    assert began == ["autoencoder"] * (2 if where == "between two fits" else 1) + ["distilled"]
    np.testing.assert_array_equal(again.labels, whole.labels)
    for a, b in zip(again.views.codes, whole.views.codes, strict=True):
        np.testing.assert_array_equal(a.points, b.points)
    assert (out / "study.json").exists() and not (out / work.NAME).exists()


def test_another_study_takes_nothing_over(tmp_path: Path):
    """Fits of other rows or with other options are not those that were asked."""
    x = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    system = tacit.Autoencoder(latent_dim=2, networks=tacit.MLP(widths=(8,)))
    kept = work.Work(tmp_path / "work")
    first = kept.fit("code-1", system, x, steps=3)
    assert kept.fit("code-1", system, x, steps=3).info["date"] == first.info["date"]
    assert kept.fit("code-1", system, x, steps=4).info["steps"] == 4
    other = kept.fit("code-1", system, x + 1, steps=4)
    assert any((a != b).any() for a, b in zip(other.nets.state().values(), first.nets.state().values(), strict=True))
    (tmp_path / "work" / "code-1" / "weights.safetensors").write_bytes(b"cut")
    again = kept.fit("code-1", system, x + 1, steps=4)
    assert again.info["steps"] == 4
    told = tmp_path / "work" / "code-1" / "system.json"
    told.write_text(told.read_text().replace('"status": "finished"', '"status": "diverged"'))
    assert tacit.load(told.parent).info["status"] == "diverged"
    assert kept.fit("code-1", system, x + 1, steps=4).info["status"] == "finished"
