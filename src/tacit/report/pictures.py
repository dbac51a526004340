"""Rows as pictures: grids, strips with captions, data URIs."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tacit.errors import InputError

TILE_PX = 48
"""Pictures smaller than this are enlarged by a whole factor, without smoothing."""

MARGIN = (128, 128, 128, 0)


def as_pixels(images: Any, *, low: float | None = None, high: float | None = None, channels: str | None = None) -> np.ndarray:
    """Pictures of any channel count as uint8, ``(n, H, W)`` grey or ``(n, H, W, 3)`` colour.

    One channel is grey, three are colour, two are red and green, four are colour with transparency over grey; more
    are averaged in three groups, as red, green and blue.

    Args:
        images: ``(n, H, W)``, ``(n, C, H, W)`` or ``(n, H, W, C)``, array or tensor.
        low, high: values shown as black and white. By default 0 and 255 for uint8, 0 and 1 for values within them,
            else the smallest and the largest finite value. NaN is shown as black.
        channels: ``first`` or ``last``; guessed by default (the axis that has 1, 3, 4 or 2 entries, the first before the last).

    Raises:
        InputError: not pictures.

    >>> as_pixels(np.ones((2, 3, 8, 8))).shape
    (2, 8, 8, 3)
    """
    x = images.detach().cpu().numpy() if hasattr(images, "detach") else np.asarray(images)
    if x.ndim not in (3, 4) or 0 in x.shape or x.dtype.kind not in "buif":
        raise InputError(
            f"got an array of shape {x.shape} and type {x.dtype} as pictures; expected numbers (n, H, W), (n, C, H, W) or "
            "(n, H, W, C); reshape it"
        )
    if x.ndim == 4:
        x = x if _last(x.shape, channels) else np.moveaxis(x, 1, -1)
    if x.dtype != np.uint8 or low is not None or high is not None:
        whole = x.dtype == np.uint8
        x = x.astype(np.float32)
        good = x[np.isfinite(x)]
        least, most = (float(good.min()), float(good.max())) if good.size else (0.0, 1.0)
        if whole:
            least, most = 0.0, 255.0
        elif least >= 0 and most <= 1:
            least, most = 0.0, 1.0
        least, most = least if low is None else low, most if high is None else high
        x = (x - least) / ((most - least) or 1.0)
        x = np.rint(np.clip(np.nan_to_num(x, posinf=1.0), 0, 1) * 255).astype(np.uint8)
    return x if x.ndim == 3 else _colour(x)


def _last(shape: tuple[int, ...], channels: str | None) -> bool:
    if channels not in (None, "first", "last"):
        raise InputError(f"got channels={channels!r}; expected first or last; choose one")
    if channels is not None:
        return channels == "last"
    for few in ((1, 3, 4), (2,)):
        if shape[1] in few:
            return False
        if shape[-1] in few:
            return True
    return shape[-1] < shape[1]


def _colour(x: np.ndarray) -> np.ndarray:
    c = x.shape[-1]
    if c == 1:
        return x[..., 0]
    if c == 3:
        return x
    if c == 2:
        return np.concatenate([x, np.zeros_like(x[..., :1])], -1)
    if c == 4:
        alpha = x[..., 3:].astype(np.float32) / 255
        return np.rint(x[..., :3] * alpha + 128 * (1 - alpha)).astype(np.uint8)
    groups = np.array_split(np.arange(c), 3)
    return np.stack([np.rint(x[..., g].mean(-1)).astype(np.uint8) for g in groups], -1)


def grid(images: Any, columns: int | None = None, *, gap: int = 2, tile_px: int = TILE_PX, **pixels: Any) -> Image.Image:
    """Pictures side by side, row by row.

    Args:
        images: as :func:`as_pixels` takes them.
        columns: pictures a row; by default a square.
        gap: pixels between pictures; transparent.
        tile_px: pictures whose longer side is smaller are enlarged by a whole factor to about this.
        pixels: ``low``, ``high``, ``channels`` of :func:`as_pixels`.

    Returns:
        An RGBA picture; ``grid(x).convert("RGB")`` for formats without transparency.

    >>> grid(np.zeros((10, 8, 8)), columns=5).size
    (248, 98)
    """
    x = as_pixels(images, **pixels)
    n, height, width = x.shape[:3]
    columns = min(n, columns or math.ceil(math.sqrt(n)))
    if columns < 1:
        raise InputError(f"got columns={columns}; expected 1 or more; ask for at least one")
    scale = max(1, round(tile_px / max(height, width)))
    x = x.repeat(scale, 1).repeat(scale, 2)
    height, width, rows = height * scale, width * scale, math.ceil(n / columns)
    sheet = np.empty((rows * (height + gap) - gap, columns * (width + gap) - gap, 4), np.uint8)
    sheet[:] = MARGIN
    for i, tile in enumerate(x):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        place = sheet[top : top + height, left : left + width]
        place[..., :3] = tile if tile.ndim == 3 else tile[..., None]
        place[..., 3] = 255
    return Image.fromarray(sheet, "RGBA")


def strip(
    panels: Mapping[str, Any], columns: int = 8, *, gap: int = 24, text_px: int = 16, dark: bool = False, **pixels: Any
) -> Image.Image:
    """Grids side by side under their captions: a figure for a page of text.

    Args:
        panels: caption → pictures.
        columns: pictures a row in each grid.
        gap: pixels between grids and around them.
        text_px: height of the captions.
        dark: light text on dark ground.
        pixels: as :func:`grid` takes them.

    >>> strip({"data": np.zeros((4, 8, 8)), "samples": np.ones((4, 8, 8))}, columns=2).mode
    'RGB'
    """
    if not panels:
        raise InputError("strip got no panels; expected {caption: pictures}; give at least one")
    paper, ink = ((24, 26, 30), (230, 232, 236)) if dark else ((255, 255, 255), (30, 33, 38))
    font = ImageFont.load_default(size=text_px)
    sheets = [grid(x, columns, **pixels) for x in panels.values()]
    widths = [max(s.width, math.ceil(font.getlength(t))) for s, t in zip(sheets, panels, strict=True)]
    top = gap + text_px + gap // 2
    out = Image.new("RGB", (sum(widths) + gap * (len(widths) + 1), top + max(s.height for s in sheets) + gap), paper)
    draw, left = ImageDraw.Draw(out), gap
    for caption, sheet, width in zip(panels, sheets, widths, strict=True):
        draw.text((left, gap), caption, fill=ink, font=font)
        out.paste(sheet, (left, top), sheet)
        left += width + gap
    return out


def atlas(images: Any, cell_px: int = 32, **pixels: Any) -> tuple[Image.Image, int, int, int]:
    """Thumbnails without gaps, for a page to cut: the sheet, its columns, and a cell's width and height in pixels."""
    x = as_pixels(images, **pixels)
    n, height, width = x.shape[:3]
    if max(height, width) > cell_px:
        ratio = cell_px / max(height, width)
        size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
        x = np.stack([np.asarray(Image.fromarray(t).resize(size, Image.Resampling.BOX)) for t in x])
        height, width = x.shape[1:3]
    columns = math.ceil(math.sqrt(n))
    sheet = np.zeros((math.ceil(n / columns) * height, columns * width, *x.shape[3:]), np.uint8)
    for i, tile in enumerate(x):
        top, left = i // columns * height, i % columns * width
        sheet[top : top + height, left : left + width] = tile
    return Image.fromarray(sheet), columns, width, height


def plane(points: np.ndarray, behind: np.ndarray | None, low: Any, high: Any, side_px: int = 200) -> Image.Image:
    """Points ``(n, 2)`` in blue over others in grey, from the corner ``low`` to ``high``; what lies outside is put on the edge.

    >>> plane(np.zeros((3, 2)), None, (-1, -1), (1, 1), side_px=50).size
    (50, 50)
    """
    zoom, low, high = 3, np.asarray(low, np.float64), np.asarray(high, np.float64)
    side = side_px * zoom
    sheet = Image.new("RGBA", (side, side), (128, 128, 128, 24))
    for rows, colour, radius in ((behind, (128, 132, 138, 130), 2.2), (points, (59, 125, 216, 210), 3.2)):
        layer = Image.new("RGBA", (side, side), (*colour[:3], 0))
        draw = ImageDraw.Draw(layer)
        for x, y in [] if rows is None else np.clip((np.asarray(rows, np.float64) - low) / (high - low), 0, 1):
            at, up = 6 + x * (side - 12), 6 + (1 - y) * (side - 12)
            draw.ellipse((at - radius, up - radius, at + radius, up + radius), fill=colour)
        sheet.alpha_composite(layer)
    return sheet.resize((side_px, side_px), Image.Resampling.BOX)


PALETTE = ("#3b7dd8", "#d9730d", "#2f9e44", "#d6336c", "#8457e8", "#0b93a0", "#a06c35", "#a58a00", "#76828f", "#c4412f")
"""Colours of groups, the same as the page's; they repeat after ten."""


def scatters(
    panels: Mapping[str, tuple[Any, Any]], columns: int = 2, *, side_px: int = 420, names: Mapping[int, str] | None = None,
    dark: bool = False,
) -> Image.Image:  # fmt: skip
    """Maps side by side under their captions, points coloured by group, with a key below: a figure for a page of text.

    Args:
        panels: caption → points ``(n, 2)`` and the group of each ``(n,)``, int; −1 is grey. Each map fills its square, at one scale for
            both axes.
        columns: maps a row.
        side_px: side of a map.
        names: of groups, for the key; their numbers by default.
        dark: light text on dark ground.

    Raises:
        InputError: no panels, or points and groups that do not match.

    >>> scatters({"codes": (np.random.default_rng(0).normal(size=(9, 2)), np.arange(9) % 3)}).mode
    'RGB'
    """
    if not panels:
        raise InputError("scatters got no panels; expected {caption: (points, groups)}; give at least one")
    paper, ink = ((24, 26, 30), (230, 232, 236)) if dark else ((255, 255, 255), (30, 33, 38))
    gap, text_px, zoom = 24, 16, 2
    font = ImageFont.load_default(size=text_px)
    columns = max(1, min(columns, len(panels)))
    tall = side_px + gap + text_px + gap // 2
    lines = math.ceil(len(panels) / columns)
    out = Image.new("RGB", (columns * (side_px + gap) + gap, lines * tall + 2 * gap + text_px), paper)
    draw, met = ImageDraw.Draw(out), set[int]()
    for i, (caption, (points, groups)) in enumerate(panels.items()):
        xy, of = np.asarray(points, np.float64), np.asarray(groups).astype(int)
        if xy.ndim != 2 or xy.shape[1] != 2 or of.shape != xy.shape[:1] or not len(xy) or not np.isfinite(xy).all():
            raise InputError(f"'{caption}' got points {xy.shape} and groups {of.shape}; expected finite (n, 2) and (n,); mend them")
        left, top = gap + i % columns * (side_px + gap), gap + i // columns * tall
        draw.text((left, top), caption, fill=ink, font=font)
        out.paste(_dots(xy, of, side_px, zoom, paper), (left, top + text_px + gap // 2))
        met |= set(of.tolist())
    at = float(gap)
    for k in sorted(met):
        text, y = "not known" if k < 0 else str((names or {}).get(k, k)), lines * tall + gap
        draw.ellipse((at, y + 3, at + 10, y + 13), fill=_ink(k))
        draw.text((at + 15, y), text, fill=ink, font=font)
        at += 15 + font.getlength(text) + 18
    return out


def _ink(k: int) -> str:
    return "#8a929c" if k < 0 else PALETTE[k % len(PALETTE)]


def _dots(xy: np.ndarray, groups: np.ndarray, side_px: int, zoom: int, paper: tuple[int, int, int]) -> Image.Image:
    side = side_px * zoom
    middle, half = (xy.min(0) + xy.max(0)) / 2, float(np.ptp(xy, axis=0).max()) / 2 or 1.0
    radius = zoom * max(1.1, min(3.2, 75 / math.sqrt(len(xy))))
    at = side / 2 + (xy - middle) * np.array([1, -1]) / half * (side / 2 - radius - 2)
    sheet = Image.new("RGB", (side, side), paper)
    draw = ImageDraw.Draw(sheet)
    # Groups take turns, so that the last does not cover the others.
    for i in np.random.default_rng(0).permutation(len(xy)):
        (x, y), fill = at[i], _ink(int(groups[i]))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)
    draw.rectangle((0, 0, side - 1, side - 1), outline=(128, 128, 128), width=zoom)
    return sheet.resize((side_px, side_px), Image.Resampling.BOX)


def data_uri(image: Image.Image, heavy_bytes: int = 60_000) -> str:
    """A picture inside the page: PNG, or WebP (quality 85) where PNG is heavy and WebP lighter."""
    png = io.BytesIO()
    image.save(png, "PNG", optimize=True)
    kind, best = "png", png.getvalue()
    if len(best) > heavy_bytes:
        webp = io.BytesIO()
        image.save(webp, "WEBP", quality=85, method=4)
        if len(webp.getvalue()) < len(best):
            kind, best = "webp", webp.getvalue()
    return f"data:image/{kind};base64,{base64.b64encode(best).decode()}"


def as_pictures(rows: np.ndarray, kind: str) -> np.ndarray | None:
    """Prepared rows as pictures ``(n, C, H, W)``, or None where rows are no pictures.

    Volumes are shown as their mean along depth, sequences as one picture with time to the right.
    """
    if kind == "image" and rows.ndim == 4:
        return rows
    if kind == "volume" and rows.ndim == 5:
        return rows.mean(2)
    if kind == "sequence" and rows.ndim in (2, 3):
        return (rows[:, :, None] if rows.ndim == 2 else rows).swapaxes(1, 2)[:, None]
    return None
