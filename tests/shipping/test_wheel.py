"""What is published works by itself: the wheel in an empty environment, with nothing of this folder beside it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "check.yml"


def run(*command: str | Path, folder: Path, **variables: str) -> str:
    """Run a program in a folder and return what it printed; its failure is the test's."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AGENTOOL_", "PYTHON", "VIRTUAL_ENV", "COV_"))}
    clean |= {"UV_COMPILE_BYTECODE": "0", **variables}
    ended = subprocess.run([str(word) for word in command], cwd=folder, env=clean, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist."""
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed: pip install uv")
    folder = tmp_path_factory.mktemp("dist")
    run(uv, "build", "--quiet", "--out-dir", folder, ROOT, folder=folder)
    return folder


@pytest.fixture(scope="module")
def installed(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment in which there is the wheel, with what it needs, and nothing else."""
    folder = tmp_path_factory.mktemp("empty")
    (wheel,) = packages.glob("*.whl")
    run("uv", "venv", "--quiet", "--python", sys.executable, folder / "env", folder=folder)
    python = folder / "env" / "bin" / "python"
    run("uv", "pip", "install", "--quiet", "--python", python, wheel, folder=folder)
    return folder / "env" / "bin"


def test_the_wheel_has_what_no_import_finds(packages: Path) -> None:
    """Templates, styles, the example's tasks, the mark of typed packages and the licence; and no test."""
    (wheel,) = packages.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    static = "agentoolkit/entrypoints/dashboard"
    for name in (f"{static}/static/style.css", f"{static}/templates/base.html", "agentoolkit/example/tasks.yaml", "agentool/py.typed"):
        assert name in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests", "docs", "bench"))]


def test_the_sdist_can_be_built_from(packages: Path) -> None:
    """It has the sources, the pages and the tests."""
    (sdist,) = packages.glob("*.tar.gz")
    with tarfile.open(sdist) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    assert {"pyproject.toml", "README.md", "src/agentool/__init__.py", "tests/shipping/test_wheel.py", "docs/howto/tasks.md"} <= names


def test_the_command_works_without_any_extra(installed: Path, tmp_path: Path) -> None:
    """It says its version, schedules a job, runs it, and serves the example for a moment."""
    home = {"AGENTOOL_HOME": str(tmp_path)}
    assert run(installed / "agentool", "--version", folder=tmp_path).startswith("agentool ")
    words = ("scheduler", "schedule", "notification", "in 5 minutes", "--message", "Hello", "--name", "hello")
    assert "Scheduled hello" in run(installed / "python", "-W", "error", "-m", "agentool", *words, folder=tmp_path, **home)
    assert '"delivered"' in run(installed / "agentool", "run", "hello", folder=tmp_path, **home)
    assert "5 tasks of the bundled example" in run(installed / "agentool", "serve", "--memory", "--for", "1", folder=tmp_path, **home)


def test_an_extra_that_is_missing_is_named(installed: Path, tmp_path: Path) -> None:
    """What needs one says so in a sentence."""
    command = [str(installed / "agentool"), "serve", "--memory", "--for", "1", "--http", "127.0.0.1:0"]
    ended = subprocess.run(command, cwd=tmp_path, env={"AGENTOOL_HOME": str(tmp_path)}, capture_output=True, text=True, timeout=120)
    assert ended.returncode != 0
    assert "pip install 'agentool[http]'" in ended.stderr


def test_the_workflow_runs_what_everybody_runs() -> None:
    """On each Python that the package says it supports, and on the one after, it calls .ci/run; then it builds packages and site."""
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    supported = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    assert jobs["check"]["strategy"]["matrix"]["python"] == [*supported, "3.14"] == ["3.11", "3.12", "3.13", "3.14"]
    assert jobs["check"]["steps"][-1]["run"] == ".ci/run"
    assert [step["run"] for step in jobs["build"]["steps"] if "run" in step][1:] == ["uv build --out-dir dist", "make site"]
