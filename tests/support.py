"""Helpers that tests in several rooms share: small data, fresh interpreters, made files, pages and the browser that draws them."""

from __future__ import annotations

import gzip
import io
import os
import re
import shutil
import struct
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
SRC = HERE.parent / "src"


def make_vectors(n: int = 48, d: int = 6, k: int = 3, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    means = 3.0 * np.random.default_rng(99).normal(size=(k, d))
    return (means[np.arange(n) % k] + rng.normal(size=(n, d))).astype(np.float32)


def make_pictures(n: int = 48, side: int = 8, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    bars = np.zeros((n, 1, side, side), np.float32)
    for i in range(n):
        bars[i, 0, (i % 4) * (side // 4) : (i % 4 + 1) * (side // 4)] = 0.8
    return np.clip(bars + 0.1 * rng.random(bars.shape), 0, 1).astype(np.float32)


def python(code: str, *args: str, env: dict[str, str] | None = None, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run a script in a fresh interpreter, with one thread."""
    return subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, timeout=timeout, env=environment(**(env or {}))
    )


def environment(**more: str) -> dict[str, str]:
    paths = [str(SRC), str(HERE), str(HERE / "contracts"), os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(p for p in paths if p)
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", **more}


def write_idx(path: Path, array: np.ndarray, code: int = 8) -> Path:
    raw = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(raw, 1) if path.suffix == ".gz" else raw)
    return path


def picture(array: np.ndarray, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.fromarray(array).save(out, kind)
    return out.getvalue()


VOID = {"meta", "link", "img", "br", "line", "input", "hr"}


class Page(HTMLParser):
    """Checks nesting; collects sections, links, pictures and visible text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.sections, self.links, self.images, self.ids, self.words = [], set(), [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        if tag == "section":
            self.sections.add(a["id"])
        if "id" in a:
            self.ids.append(a["id"])
        self.links += [a[k] for k in ("src", "href", "action", "data", "poster", "srcset") if k in a]
        if tag == "img":
            self.images.append(a)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


BROWSER = next((b for b in ("chromium", "chromium-browser", "google-chrome", "chrome") if shutil.which(b)), None)

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--enable-logging=stderr", "--v=0", "--virtual-time-budget=3000",
)  # fmt: skip


def draw(path, profile, width):
    command = [BROWSER, *FLAGS, f"--window-size={width},1200", f"--user-data-dir={profile}", "--dump-dom", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return dict(re.findall(r'data-([\w-]+)="([^"]*)"', done.stdout[: done.stdout.index("<head")])), done.stdout, complaints
