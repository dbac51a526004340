"""What the docs say of adding an objective is done here to the letter: one file, and the commands below it."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tacit
from support import environment

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "adding-a-system.md").read_text(encoding="utf-8")
SECTION = PAGE[PAGE.index("## A new objective") :]


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", SECTION, re.M | re.S)


CALLS = """
import json, shlex, sys
from tacit.cli import main
print(json.dumps([main(words) for words in json.loads(sys.argv[1])]))
"""


def words_of(line: str) -> list[str]:
    """A line of the page, with what keeps a test short."""
    words = shlex.split(line)
    assert words[0] == "tacit"
    small = {"fit": ["--no-report"], "compare": ["--snapshots", "0", "--jobs", "1", "-n", "100"]}
    return [*words[1:], "--networks.widths", "8", "--quiet", *small[words[1]]]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the house into which the page's file was put, where the page says, and nothing else."""
    source = tmp_path_factory.mktemp("house")
    shutil.copytree(Path(tacit.__file__).parent, source / "tacit", ignore=shutil.ignore_patterns("__pycache__"))
    where = re.search(r"this is `src/(tacit/objectives/\w+\.py)`, whole", SECTION)
    (file,) = blocks("python")
    assert where and not (source / where[1]).exists()
    (source / where[1]).write_text(file, encoding="utf-8")
    return source


def test_an_objective_is_one_file(house: Path, tmp_path: Path) -> None:
    lines = blocks("bash")[0].strip().splitlines()
    assert [line.split()[1] for line in lines] == ["fit", "fit", "compare"]
    typo = "tacit fit gan ring8 --objective logistic --objective.temperatur 2 -o runs/typo"
    calls = json.dumps([words_of(line) for line in (*lines, typo)])
    env = environment() | {"PYTHONPATH": str(house)}
    done = subprocess.run(
        [sys.executable, "-c", CALLS, calls], capture_output=True, text=True, cwd=tmp_path, env=env, timeout=120, check=False
    )
    assert json.loads(done.stdout) == [0, 0, 0, 2], done.stderr
    assert "did you mean '--objective.temperature'" in done.stderr and not (tmp_path / "runs/typo").exists()
    card = (tmp_path / "runs/logistic/system.json").read_text()
    assert '"part": "objective/logistic"' in card and '"temperature": 2.0' in card
    runs = {p.name for p in (tmp_path / "runs/both/runs").iterdir()}
    assert runs == {f"{n}-{s}" for n in ("gan", "gan-objective=logistic-objective.temperature=2") for s in (0, 1)}


def test_the_same_file_goes_by_its_import_path(tmp_path: Path, tacit_here) -> None:
    fit, sample, resume = blocks("bash")[1].strip().splitlines()
    assert tacit_here(fit).returncode == 0
    assert '"part": "my_objectives:Logistic"' in (tmp_path / "runs/mine/system.json").read_text()
    assert tacit_here(sample).returncode == 0 and (tmp_path / "runs/mine.npy").exists()
    refused = tacit_here(sample.replace(" --allow my_objectives", ""))
    assert refused.returncode == 2 and "my_objectives:Logistic, which is not part of Tacit" in refused.stderr
    finished = tacit_here(resume)
    assert finished.returncode == 2 and "is finished" in finished.stderr


@pytest.fixture
def tacit_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """The command line in this process, in a folder that is on the Python path and holds the page's file as a module."""
    from tacit.cli import main

    (file,) = blocks("python")
    (tmp_path / "my_objectives.py").write_text(file, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def call(line: str) -> subprocess.CompletedProcess[str]:
        words = shlex.split(line)[1:]
        more = ["--networks.widths", "8"] if words[0] == "fit" else []
        capsys.readouterr()
        code = main([*words, *more])
        return subprocess.CompletedProcess(words, code, *capsys.readouterr())

    yield call
    sys.modules.pop("my_objectives", None)


def test_the_report_of_a_fit_with_a_part_of_ones_own_is_written(tmp_path: Path, tacit_here) -> None:
    done = tacit_here(blocks("bash")[1].strip().splitlines()[0])
    assert done.returncode == 0 and "warning" not in done.stderr
    assert (tmp_path / "runs/mine/report.html").exists()
    assert tacit_here("tacit report runs/mine --allow my_objectives").returncode == 0
    assert tacit_here("tacit report runs/mine").returncode == 2


def test_the_comparing_page_s_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from tacit.cli import main

    page = (ROOT / "docs" / "compare.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^```bash\n(.*?)^```", page, re.M | re.S)
    monkeypatch.chdir(tmp_path)
    words = shlex.split(command.replace("\\\n", " "))
    assert words[0] == "tacit"
    assert main([*words[1:], "--snapshots", "1", "--seeds", "1", "--quiet"]) == 0
    assert (tmp_path / "runs/first/compare.html").exists() and len(list((tmp_path / "runs/first/runs").iterdir())) == 4
