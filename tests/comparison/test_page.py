"""The page of a comparison: whole, self-contained, escaped, honest about what was not alike, and drawn by a browser."""

from __future__ import annotations

import json
import re

import pytest

import tacit
from support import BROWSER, Page, draw
from tacit.comparison import page, run

NASTY = "<script>alert('x')</script>&"
NETS = tacit.MLP(widths=(8,))


def gan(**options):
    return tacit.GAN(prior=tacit.Gaussian(2), networks=NETS, **options)


@pytest.fixture(scope="session")
def found(tmp_path_factory):
    """Two GANs whose networks are alike, one with other networks, one that diverges, on points; and two on pictures."""
    folder = tmp_path_factory.mktemp("pages")
    points = {
        "plain": gan(), NASTY: gan(objective=tacit.objectives.Hinge()),
        "wild": gan(objective=tacit.objectives.FDivergence("kl"), rule=tacit.SGD(1e4), critic_rule=tacit.SGD(1e4)),
    }  # fmt: skip
    points["large, 5 critic steps"] = tacit.GAN(prior=tacit.Gaussian(2), networks=tacit.MLP(widths=(16,)), critic_steps=5)
    options = {"jobs": 1, "steps": 6, "batch_size": 16, "samples": 200, "snapshots": 2, "log_every": 1}
    two = {"gan": gan(), "packed": gan(pack=2)}
    return {
        "points": tacit.compare(points, "ring8", out=folder / "points", seeds=2, **options),
        "pictures": tacit.compare(two, "digits", out=folder / "pictures", seeds=2, **options),
        "table": tacit.compare({"g": gan()}, "digits", out=folder / "table", seeds=1, load={"shape": (64,)}, **options),
    }


def test_every_page_is_whole_and_needs_nothing(found):
    for name, c in found.items():
        text = c.page.read_text(encoding="utf-8")
        p = Page(text)
        assert p.sections == {"results", "samples", "trainings", "curves", "conditions", "cost", "papers", "next"}, name
        assert len(p.ids) == len(set(p.ids)) and all(link[1:] in p.ids for link in p.links if link.startswith("#"))
        assert all(v.startswith(("data:", "#")) for v in p.links) and "default-src 'none'" in text
        assert all(len(a.get("alt", "")) > 10 for a in p.images)
        assert text.count("<h1") == 1 and text.count("</script>") == 2 and len(text) < 2_000_000
        assert page.render(c, tacit.data.load(c.about["data"], **c.about["load"])) == text


def test_names_are_escaped(found):
    text = found["points"].page.read_text(encoding="utf-8")
    assert "<script>alert" not in text and NASTY in Page(text).text


def test_the_page_says_what_was_not_alike(found):
    said = Page(found["points"].page.read_text(encoding="utf-8")).text
    assert "Not the same networks: large, 5 critic steps has other architectures than the rest" in said
    assert "G 82, D 65 in large, 5 critic steps" in said and f"G 42, D 33 in plain, {NASTY} and wild;" in said
    assert "updates in a step: critic 1, generator 1 in plain" in said and "critic 5, generator 1 in large, 5 critic steps." in said
    assert "Not the same optimisers: see Conditions for wild" in said
    assert "2 of 8 fits diverged; their figures come from the last good weights. wild (seed 0): the run became NaN" in said
    alike = Page(found["pictures"].page.read_text(encoding="utf-8")).text
    assert "Not the same networks" not in alike and "Not the same optimisers" not in alike
    assert "Not the same numbers of weights: G 600, D 529 in gan; G 600, D 1,041 in packed." in alike
    assert page.differences(run.Comparison({"a": gan()}, {"a": {}}, {"options": {}}, found["points"].folder)) == []


def test_pictures_are_of_each_seed_and_step(found):
    p = Page(found["pictures"].page.read_text(encoding="utf-8"))
    alts = [a["alt"] for a in p.images]
    assert alts.count("Samples of packed, seed 1") == 1 and "packed, seed 1: samples after 6 steps" in alts
    assert sum(a.startswith("Samples of") for a in alts) == 4 and sum("samples after" in a for a in alts) == 8
    assert "the data's first two principal components" in Page(found["table"].page.read_text(encoding="utf-8")).text


def test_figures_on_the_page_are_those_of_the_comparison(found):
    c = found["points"]
    p = Page(c.page.read_text(encoding="utf-8"))
    f = c.figures("reverse KL")["plain"]
    assert f"{f.value:.4g} [{f.low:.3g}, {f.high:.3g}]" in p.text
    lone = Page(found["table"].page.read_text(encoding="utf-8")).text
    assert "nothing can be called best" in lone and "(best)" not in lone


def test_curves_are_means_over_seeds(found):
    c = found["points"]
    text = c.page.read_text(encoding="utf-8")
    d = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])["compare"]
    terms = {chart["name"]: chart["series"] for g in d["groups"] if g["name"] == "Terms" for chart in g["charts"]}
    series = next(s for s in terms["critic/adversarial"] if s["k"] == 0)
    logs = [tacit.load(c.results["plain"][s]["folder"]).log for s in (0, 1)]
    for i in (0, 5):
        values = [log[i]["critic/adversarial"] for log in logs]
        assert series["step"][i] == i + 1
        assert series["mean"][i] == pytest.approx(sum(values) / 2, rel=1e-4) and series["high"][i] == pytest.approx(max(values), rel=1e-4)
    assert "critic/loss" not in terms


ACTS = """
(() => {
  const root = document.documentElement, out = {};
  const chart = document.querySelector('#lines .chart svg'), lines = () => document.querySelectorAll('#lines .several').length;
  chart.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight'}));
  out.read = chart.parentElement.querySelector('span').textContent;
  const all = lines();
  document.querySelector('#lines .key button').click();
  out.fewer = lines() < all;
  document.querySelectorAll('#lines .controls button').forEach(b => b.click());
  document.querySelector('#lines .key button').click();
  out.again = lines() === all;
  out.marks = document.querySelectorAll('[data-marker] svg').length > 3;
  out.sideways = root.scrollWidth > root.clientWidth;
  root.dataset.acts = JSON.stringify(out).replace(/"/g, "'");
})();
"""


@pytest.mark.skipif(BROWSER is None, reason="no chromium or chrome on the path, so pages are not drawn")
@pytest.mark.parametrize(("name", "width"), [("points", 1000), ("pictures", 390)])
def test_it_draws_and_answers(found, tmp_path, name, width):
    text = found[name].page.read_text(encoding="utf-8")
    at = text.rindex("</script>")
    path = tmp_path / "page.html"
    path.write_text(text[:at] + f"window.addEventListener('load', () => {{{ACTS}}});" + text[at:], encoding="utf-8")
    state, _, complaints = draw(path, tmp_path / "profile", width)
    assert complaints == [] and state["errors"] == "0" and state["ready"] == "true" and int(state["charts"]) >= 4
    acts = state["acts"]
    assert re.search(r"'read':'\S.*: [-\d.,e+]+ at \d+'", acts), acts
    assert "'fewer':true" in acts and "'again':true" in acts and "'marks':true" in acts and "'sideways':false" in acts
