"""Files larger than memory are read with bounded memory, and resumed."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd

MEASURE = """
import resource, sys
import numpy as np, torch, pandas, pyarrow.parquet
from tacit.data import Feed, Spec, columnar, load, pools, source
torch.set_num_threads(1)
source.STREAM_ABOVE_BYTES = columnar.STREAM_ABOVE_BYTES = 16 << 20
pools.POOL_BYTES = 4 << 20
source.BLOCK_BYTES = 1 << 19

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

def once(data):
    feed = Feed(data, Spec.learn(data), 128, seed=0)
    seen = np.zeros(data.n, bool)
    for _ in range(-(-data.n // 128)):
        batch = feed.next()
        seen[batch.index.numpy()] = True
    again = Feed(data, feed.spec, 128, seed=5)
    again.load_state(feed.state())
    return seen.all() and torch.equal(feed.next().x, again.next().x)

limit, source.STREAM_ABOVE_BYTES, columnar.STREAM_ABOVE_BYTES = source.STREAM_ABOVE_BYTES, 0, 0
once(load(sys.argv[1]))
source.STREAM_ABOVE_BYTES = columnar.STREAM_ABOVE_BYTES = limit
before = peak()
for path in sys.argv[2:]:
    data = load(path)
    assert not data.in_memory
    assert once(data)
    print(peak() - before)
"""


def test_memory_stays_far_below_the_file(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(250_000, 64)).astype(np.float32)
    paths = [tmp_path / "x.npy", tmp_path / "x.parquet"]
    np.save(paths[0], x)
    frame = pd.DataFrame(x, columns=[f"c{k}" for k in range(64)])
    frame.to_parquet(paths[1], row_group_size=10_000, compression=None)
    frame[:2000].to_parquet(tmp_path / "small.parquet", row_group_size=500)
    size = paths[0].stat().st_size / 2**20
    command = [sys.executable, "-c", MEASURE, str(tmp_path / "small.parquet"), *map(str, paths)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    for path, grown in zip(paths, map(float, found.stdout.split()), strict=True):
        assert grown < size / 2, f"{grown:.0f} MiB more for {path.name} of {size:.0f} MiB"
