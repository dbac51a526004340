"""The page in a real browser: scripts run without an error, maps and curves are drawn, hovering reads a point."""

from __future__ import annotations

import re

import pytest

from support import BROWSER, draw
from tacit.report import write

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium or chrome on the path, so pages are not drawn")

ACTS = """
(() => {
  const root = document.documentElement, out = {};
  document.querySelectorAll('[data-scatter]').forEach(place => {
    const s = place.scatter, g = s.canvas.getContext('2d'), [w, h] = [s.canvas.width, s.canvas.height];
    const p = g.getImageData(0, 0, w, h).data;
    out.painted = 0;
    for (let i = 3; i < p.length; i += 4) out.painted += p[i] > 0;
    place.querySelectorAll('.controls button').forEach(b => b.click());
    const box = s.canvas.getBoundingClientRect();
    const hover = {clientX: box.left + s.px[3], clientY: box.top + s.py[3], bubbles: true};
    s.canvas.dispatchEvent(new PointerEvent('pointermove', hover));
    out.tip = s.tip.textContent; out.shown = !s.tip.hidden; out.thumbnail = s.tip.querySelectorAll('canvas').length;
    const before = s.at;
    s.canvas.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight'}));
    out.moved = s.at !== before && s.px[s.at] >= s.px[before];
    place.querySelectorAll('.key button').forEach(b => b.click());
  });
  document.querySelectorAll('#charts button').forEach(b => b.click());
  const chart = document.querySelector('#charts svg');
  if (chart) {
    chart.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight'}));
    out.read = chart.parentElement.querySelector('span').textContent;
  }
  out.sideways = root.scrollWidth > root.clientWidth;
  out.width = root.clientWidth;
  root.dataset.acts = JSON.stringify(out).replace(/"/g, "'");
})();
"""


@pytest.mark.parametrize(
    ("name", "charts", "width"),
    [
        ("kmeans", 0, 1000),
        ("clustergan", 10, 1000),
        ("clustergan", 10, 390),
        ("table", 0, 390),
        ("ring", 0, 1000),
        ("plane", 0, 390),
    ],
)
def test_it_draws_and_answers(runs, tmp_path, name, charts, width):
    path = write(runs[name], out=tmp_path / "page.html", methods=["tsne"] if name == "clustergan" else [], max_points=300)
    text = path.read_text(encoding="utf-8")
    at = text.rindex("</script>")
    acts = f"window.addEventListener('load', () => {{{ACTS}}});"
    path.write_text(text[:at] + acts + text[at:], encoding="utf-8")
    found, dom, complaints = draw(path, tmp_path / "profile", width)
    assert complaints == []
    assert found["errors"] == "0" and found["ready"] == "true"
    assert found["scatters"] == "1" and dom.count("<canvas") >= 1
    assert int(found.get("charts", "0")) >= charts
    acts = found["acts"]
    assert int(re.search(r"'width':(\d+)", acts)[1]) <= max(width, 500)
    assert int(re.search(r"'painted':(\d+)", acts)[1]) > 300
    assert "'shown':true" in acts and "'moved':true" in acts and "'sideways':false" in acts
    if name in ("kmeans", "clustergan", "plane"):
        assert found["sheets"] == "1" and "'thumbnail':1" in acts and "row " in acts and "label: " in acts
    if name == "table":
        assert "alert(" in acts and "height_cm: " in acts
    if charts:
        assert re.search(r"'read':'[-\d.,e+]+ at step \d+", acts)
        assert dom.count('class="line"') == int(found["charts"])
