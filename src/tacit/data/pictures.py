"""Pictures in folders and in bytes, decoded to uint8 (or uint16) arrays."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from tacit.data.layout import Layout
from tacit.data.source import STREAM_ABOVE_BYTES, ArraySource, Source
from tacit.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm")
GREY = ("1", "L", "LA")
DEEP = ("I;16", "I;16B", "I;16L", "I")
_THREADS = min(8, os.cpu_count() or 1)


class Look:
    """Size (height, width) and colour of a picture: "L" grey, "RGB", or "I;16" deep grey."""

    def __init__(self, size: tuple[int, int], mode: str, resize: bool = False):
        self.size, self.mode, self.resize = size, mode, resize

    @classmethod
    def of(cls, image: Image.Image) -> Look:
        mode = "L" if image.mode in GREY else "I;16" if image.mode in DEEP else "RGB"
        return cls((image.height, image.width), mode)

    @property
    def layout(self) -> Layout:
        view = self.size if self.mode != "RGB" else (*self.size, 3)
        return Layout(view, view, "last" if self.mode == "RGB" else "add")

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.uint16 if self.mode == "I;16" else np.uint8)

    def decode(self, what: bytes | Path, name: str) -> np.ndarray:
        """One picture, (H, W) or (H, W, 3).

        Raises:
            InputError: unreadable, or of another size or colour.
        """
        try:
            with Image.open(io.BytesIO(what) if isinstance(what, bytes) else what) as file:
                mine = Look.of(file)
                if mine.mode != self.mode and self.mode != "RGB" and not self.resize:
                    raise InputError(f"{name} is in {mine.mode} while the first picture is in {self.mode}; "
                                     "expected all grey or all colour; convert them")  # fmt: skip
                if mine.size != self.size and not self.resize:
                    raise InputError(
                        f"{name} is {mine.size[1]} × {mine.size[0]} px while others are {self.size[1]} × "
                        f"{self.size[0]}; expected one size; give shape=(height, width) to fit them all to it"
                    )
                image: Image.Image = file if self.mode == "I;16" else file.convert(self.mode)
                if mine.size != self.size:
                    image = ImageOps.fit(image, (self.size[1], self.size[0]), Image.Resampling.LANCZOS)
                return np.asarray(image).astype(self.dtype, copy=False)
        except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as e:
            raise InputError(
                f"{name} is not a readable picture ({_brief(e)}); remove it or write it again"
            ) from e

    def decode_all(self, what: Sequence[bytes | Path], names: Sequence[str]) -> np.ndarray:
        """Many pictures, (n, H, W) or (n, H, W, 3), on a few threads."""
        out = np.empty((len(what), *self.layout.raw), self.dtype)

        def some(rows: range) -> None:
            for k in rows:
                out[k] = self.decode(what[k], names[k])

        step = max(1, min(256, -(-len(what) // _THREADS)))
        parts = [range(a, min(a + step, len(what))) for a in range(0, len(what), step)]
        if len(parts) < 2:
            for part in parts:
                some(part)
        else:
            with ThreadPoolExecutor(_THREADS) as pool:
                list(pool.map(some, parts))
        return out


class PictureFiles(Source):
    """Picture files, decoded as they are asked for."""

    in_memory = False

    def __init__(self, paths: Sequence[Path], look: Look, **about: Any):
        super().__init__(len(paths), look.layout, "image", look.dtype, **about)
        self.paths, self.look = list(paths), look

    def read(self, start: int, stop: int) -> np.ndarray:
        return self.take(np.arange(start, min(stop, self.n)))

    def take(self, index: Any) -> np.ndarray:
        paths = [self.paths[k] for k in self._rows(index)]
        return self.layout.apply(self.look.decode_all(paths, [str(p) for p in paths]))


def find_pictures(folder: Path) -> list[Path]:
    """Picture files under a folder, hidden ones apart, in sorted order."""
    found = [
        p for p in folder.rglob("*")
        if p.suffix.lower() in SUFFIXES and not any(s.startswith(".") for s in p.relative_to(folder).parts)
    ]  # fmt: skip
    return sorted(found)


def picture_folder(folder: Path, shape: tuple[int, ...] | None = None) -> Source:
    """A folder of pictures of one size; sub-folders are the labels, file names the ids.

    ``shape`` (H, W), (1, H, W) or (3, H, W) crops and resizes all pictures to that size and colour.

    Raises:
        InputError: no pictures, different sizes (the sizes are counted), or an unreadable file.
    """
    paths = find_pictures(folder)
    if not paths:
        raise InputError(
            f"{folder} holds no pictures; expected files such as .png or .jpg, in sub-folders or not"
        )
    looks = [_peek(p) for p in paths]
    modes = {m.mode for m in looks}
    mode = modes.pop() if len(modes) == 1 else "RGB"
    if shape is not None:
        size, mode = _asked(shape, mode)
        look = Look(size, mode, resize=True)
    else:
        sizes = Counter(m.size for m in looks)
        if len(sizes) > 1:
            (most, many), other = sizes.most_common(1)[0], next(m for m in looks if m.size != looks[0].size)
            odd = next(p for p, m in zip(paths, looks, strict=True) if m.size != most)
            odd_size = next(m.size for m in looks if m.size != most)
            raise InputError(
                f"{folder} holds pictures of {len(sizes)} sizes: {many} are {most[1]} × {most[0]} px but "
                f"{odd.relative_to(folder)} is {odd_size[1]} × {odd_size[0]}; expected one size; give "
                f"shape=({other.size[0]}, {other.size[1]}), say, to fit them all to it"
            )
        look = Look(looks[0].size, mode)
    relative = [p.relative_to(folder) for p in paths]
    labels = names = None
    if all(len(r.parts) > 1 for r in relative):
        names = sorted({r.parts[0] for r in relative})
        number = {c: k for k, c in enumerate(names)}
        labels = np.array([number[r.parts[0]] for r in relative], np.int64)
    ids = np.array([r.as_posix() for r in relative])
    about = {"labels": labels, "class_names": names, "ids": ids, "name": folder.name or str(folder)}
    files = PictureFiles(paths, look, **about)
    if files.row_bytes * files.n > STREAM_ABOVE_BYTES:
        return files
    return ArraySource(look.decode_all(paths, [str(p) for p in paths]), look.layout, "image", **about)


def picture_bytes(cell: Any, name: str, root: Path | None = None) -> bytes | Path:
    """The bytes of a picture cell: raw bytes, or a struct {bytes, path} whose bytes may be missing."""
    if isinstance(cell, dict):
        if cell.get("bytes") is not None:
            return bytes(cell["bytes"])
        path = cell.get("path")
        if path and root is not None and (root / path).is_file():
            return root / path
        raise InputError(f"{name} names the picture '{path}' but does not hold it; expected its bytes")
    if isinstance(cell, bytes):
        return cell
    raise InputError(f"{name} has no picture; expected the bytes of one; leave that row out")


def all_bytes(cells: Iterable[Any], names: Sequence[str], root: Path | None = None) -> list[bytes | Path]:
    """:func:`picture_bytes` of many cells."""
    return [picture_bytes(c, n, root) for c, n in zip(cells, names, strict=True)]


def peek(what: bytes | Path, name: str) -> Look:
    """Size and colour of a picture without decoding it."""
    try:
        with Image.open(io.BytesIO(what) if isinstance(what, bytes) else what) as image:
            return Look.of(image)
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as e:
        raise InputError(
            f"{name} is not a readable picture ({_brief(e)}); remove it or write it again"
        ) from e


def _peek(path: Path) -> Look:
    return peek(path, str(path))


def _asked(shape: tuple[int, ...], mode: str) -> tuple[tuple[int, int], str]:
    s = tuple(int(v) for v in shape)
    if len(s) == 3 and s[-1] in (1, 3) and s[0] not in (1, 3):
        s = (s[-1], s[0], s[1])
    if len(s) == 2 and min(s) > 0:
        return (s[0], s[1]), mode
    if len(s) == 3 and s[0] in (1, 3) and min(s) > 0:
        return (s[1], s[2]), "L" if s[0] == 1 else "RGB"
    raise InputError(
        f"shape {tuple(shape)} was asked of pictures; expected (height, width) or (1 or 3, height, width)"
    )


def _brief(error: BaseException) -> str:
    return str(error).split("\n")[0][:100] or type(error).__name__
