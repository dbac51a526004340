"""Pictures, maps, curves and papers."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

import tacit
from tacit.metrics import Figure
from tacit.report import grid, maps, scatters, strip
from tacit.report.curves import POINTS, curves
from tacit.report.html import duration, number, text
from tacit.report.pictures import PALETTE, as_pictures, as_pixels, atlas, data_uri, plane
from tacit.report.plots import intervals


@pytest.mark.parametrize(
    ("shape", "out"),
    [
        ((3, 8, 8), (3, 8, 8)), ((3, 1, 8, 8), (3, 8, 8)), ((3, 8, 8, 1), (3, 8, 8)), ((3, 3, 8, 8), (3, 8, 8, 3)),
        ((3, 8, 6, 3), (3, 8, 6, 3)), ((3, 2, 8, 8), (3, 8, 8, 3)), ((3, 4, 8, 8), (3, 8, 8, 3)), ((3, 7, 9, 9), (3, 9, 9, 3)),
        ((3, 16, 16, 5), (3, 16, 16, 3)),
    ],
)  # fmt: skip
def test_any_channel_count(shape, out):
    x = as_pixels(np.random.default_rng(0).random(shape))
    assert x.shape == out and x.dtype == np.uint8
    assert grid(torch.rand(shape)).mode == "RGBA"


def test_values_are_scaled_as_their_type_says():
    whole = np.array([[[0, 128, 255]]], np.uint8)
    assert as_pixels(whole).tolist() == whole.tolist()
    assert as_pixels(np.array([[[0.0, 0.5, 0.25]]])).tolist() == [[[0, 128, 64]]]
    assert as_pixels(np.array([[[-4.0, 0.0, 4.0]]])).tolist() == [[[0, 128, 255]]]
    assert as_pixels(np.array([[[0.0, 8.0, 32.0]]]), low=0, high=16).tolist() == [[[0, 128, 255]]]
    assert as_pixels(np.array([[[np.nan, np.inf, 1.0, 0.0]]])).tolist() == [[[0, 255, 255, 0]]]
    assert as_pixels(np.array([[[True, False]]])).tolist() == [[[255, 0]]]


def test_a_grid_puts_pictures_row_by_row_and_enlarges_small_ones():
    x = np.zeros((5, 8, 8))
    x[3] = 1
    image = np.asarray(grid(x, columns=3, gap=2))
    assert image.shape == (2 * 48 + 2, 3 * 48 + 4, 4)
    assert (image[50:98, :48, :3] == 255).all() and (image[:48, :, :3].max() == 128) and (image[50:, 100:, 3] == 0).all()
    assert grid(np.zeros((4, 64, 64)), gap=0).size == (128, 128)


@pytest.mark.parametrize("bad", [np.zeros(4), np.zeros((0, 8, 8)), np.array([[["a"]]])])
def test_what_is_no_picture_is_refused(bad):
    with pytest.raises(tacit.InputError, match="pictures"):
        grid(bad)


def test_a_strip_has_a_caption_over_each_grid():
    image = strip({"data": np.zeros((4, 8, 8)), "a long caption": np.ones((4, 3, 8, 8))}, columns=2)
    dark = np.asarray(strip({"data": np.zeros((4, 8, 8))}, columns=2, dark=True))
    assert image.width > 2 * 98 and (np.asarray(image)[:24] == 255).all() and dark[0, 0].max() < 40
    assert (np.asarray(image)[24:44] < 100).any()
    with pytest.raises(tacit.InputError, match="no panels"):
        strip({})


def test_scatters_put_points_where_they_are_in_their_colours():
    xy = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0]])
    image = np.asarray(scatters({"a": (xy, [0, 1, -1]), "b": (xy[:, ::-1], [2, 2, 2])}, side_px=100))
    ink = [tuple(int(c[i : i + 2], 16) for i in (1, 3, 5)) for c in (*PALETTE[:3], "#8a929c")]

    def near(x, y, colour):
        return (image[y - 2 : y + 3, x - 2 : x + 3] == np.array(colour)).all(2).any()

    top, left = 24 + 16 + 12, 24
    assert near(left + 5, top + 94, ink[0]) and near(left + 94, top + 94, ink[1]) and near(left + 94, top + 5, ink[3])
    second = left + 100 + 24
    assert near(second + 5, top + 94, ink[2]) and near(second + 5, top + 5, ink[2]) and not near(second + 94, top + 94, ink[2])
    for bad in ({}, {"a": (xy, [0, 1])}, {"a": (xy * np.nan, [0, 1, 2])}):
        with pytest.raises(tacit.InputError, match="expected"):
            scatters(bad)


def test_the_palette_is_the_pages():
    from pathlib import Path

    script = (Path(tacit.__file__).parent / "report" / "assets" / "page.js").read_text(encoding="utf-8")
    assert re.findall(r"#[0-9a-f]{6}", re.search(r"palette = \[(.*?)\]", script)[1]) == list(PALETTE)


def test_data_uris_hold_the_picture():
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 300, 3), dtype=np.uint8))
    for image, kind in ((grid(np.ones((4, 8, 8))), "png"), (noise, "webp")):
        head, _, body = data_uri(image).partition(",")
        assert head == f"data:image/{kind};base64"
        assert Image.open(io.BytesIO(base64.b64decode(body))).size == image.size


def test_an_atlas_is_cut_by_its_cells():
    x = np.linspace(0, 1, 7)[:, None, None] * np.ones((7, 40, 20))
    sheet, columns, width, height = atlas(x)
    assert (columns, width, height) == (3, 16, 32)
    pixels = np.asarray(sheet)
    for i in range(7):
        cell = pixels[i // 3 * 32 : i // 3 * 32 + 32, i % 3 * 16 : i % 3 * 16 + 16]
        assert (cell == round(i / 6 * 255)).all()


def test_volumes_and_sequences_become_pictures():
    assert as_pictures(np.zeros((2, 1, 4, 5, 6)), "volume").shape == (2, 1, 5, 6)
    assert as_pictures(np.zeros((2, 12, 5)), "sequence").shape == (2, 1, 5, 12)
    assert as_pictures(np.zeros((2, 12)), "vector") is None


def test_maps_keep_groups_apart_and_repeat():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 30)
    x = rng.normal(size=(60, 5)) + 12 * y[:, None]
    chart = maps.arrange(x, ["tsne"])
    assert [v.name for v in chart.views] == ["PCA", "t-SNE"]
    for v in chart.views:
        a, b = v.xy[y == 0], v.xy[y == 1]
        gap = np.linalg.norm(a.mean(0) - b.mean(0))
        assert gap > 2 * max(np.linalg.norm(a - a.mean(0), axis=1).mean(), np.linalg.norm(b - b.mean(0), axis=1).mean())
    np.testing.assert_array_equal(maps.arrange(x, ["tsne"]).views[1].xy, chart.views[1].xy)


def test_umap_where_it_is_installed(monkeypatch):
    x = np.random.default_rng(0).normal(size=(30, 4))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    chart = maps.arrange(x, ["umap"])
    assert [v.name for v in chart.views] == ["PCA"] and "tacit[umap]" in chart.notes[0]
    monkeypatch.undo()
    pytest.importorskip("umap", reason="umap-learn is not installed")
    assert maps.arrange(x, ["umap"]).views[1].xy.shape == (30, 2)


@pytest.mark.parametrize("x", [np.zeros((20, 3)), np.ones((1, 4)), np.random.default_rng(0).normal(size=(20, 1)), np.zeros((5, 2))])
def test_points_without_spread_have_a_map(x):
    chart = maps.arrange(x)
    assert chart.views[-1].name == "PCA" and np.isfinite(chart.views[-1].xy).all() and chart.notes


def test_long_logs_are_thinned_to_means_with_their_range():
    log = [
        {"step": i, "phase": "a" if i < 500 else "b", "time_s": i / 10, "rate": 10.0, "p/x": float(i), "p/loss": float(i)}
        for i in range(1, 2401)
    ]
    log[5]["p/x"] = float("nan")
    found = curves(log)
    (c,) = found["groups"][0]["curves"]
    assert c["name"] == "x" and len(c["mean"]) == POINTS and c["step"][-1] == 2400
    assert c["low"][0] == 1 and c["high"][-1] == 2400 and c["low"][-1] == 2392 and c["mean"][-1] == 2396
    assert found["phases"] == [[1, "a"], [500, "b"]]
    assert curves([]) == {"groups": [], "phases": []}


def test_numbers_for_people():
    assert [number(v) for v in (0, 1234567, 0.00012345, 12345.6, float("inf"))] == ["0", "1,234,567", "0.0001234", "12,346", "inf"]
    assert [duration(v) for v in (0.12, 61, 3600)] == ["0.12 s", "1.02 min", "1 h"]
    assert text("<&'\">") == "&lt;&amp;&#x27;&quot;&gt;"


def test_planes_put_points_where_they_are():
    image = np.asarray(plane(np.array([[0.0, 0.0], [9.0, 9.0]]), np.array([[1.0, 0.0]]), (-1, -1), (1, 1), side_px=100)).astype(int)
    blue = image[..., 2] - image[..., 0] > 60
    assert blue[48:52, 48:52].any() and blue[:6, -6:].any() and not blue[60:].any(), "a point outside is on the edge"
    grey = (np.ptp(image[..., :3], -1) < 20) & (image[..., 3] > 100)
    assert grey[46:54, 92:].any() and not grey[46:54, 60:90].any()


def test_intervals_are_drawn_to_scale_and_a_wide_one_does_not_squeeze_the_others():
    figures = {"a": Figure(1.0, low=0.5, high=1.5), "b": Figure(3.0, low=2.0, high=4.0), "wide<": Figure(2.0, low=-500.0, high=500.0)}
    svg = intervals("FID", figures, {"a": [0.8, 1.2], "b": [3.0], "wide<": [2.0]}, "less is better", "a")
    x = {k: float(v) for k, v in zip("ab", re.findall(r'class="mean" x1="([\d.]+)"', svg), strict=False)}
    dots = [float(v) for v in re.findall(r'circle cx="([\d.]+)"', svg)]
    assert (dots[1] - dots[0]) / (x["b"] - x["a"]) == pytest.approx(0.4 / 2.0, abs=0.01)
    assert x["b"] - x["a"] > 40 and "wide&lt;" in svg and "wide<:" not in svg
    assert svg.count(" won") == 1 and "1 to" not in svg.split("<title>")[0] and "a: 1, 0.5 to 1.5" in svg
