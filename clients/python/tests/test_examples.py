from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from daemon import Daemon
from directories import facts_of, fill, temporary_directory
from repository import node, root

pytestmark = pytest.mark.daemon

_examples = root / "examples"


def _run(example: str, *arguments: str, **variables: str) -> str:
    return subprocess.check_output(
        [sys.executable, str(_examples / example), *arguments],
        env={**os.environ, **variables},
        text=True,
    )


def test_asyncio_follows_a_save_and_a_load() -> None:
    with temporary_directory() as made, Daemon(Path(made), "--allowed-dirs", made) as daemon:
        fill(daemon.local)
        script = "asyncio/follow_transfers.py"
        output = _run(script, str(daemon.local), COMPILE_CACHE_ADDRESS=daemon.address)
        finals = [line for line in output.splitlines() if ": done" in line]
        assert [line.split()[0] for line in finals] == ["save", "load"]
        assert facts_of(Path(f"{daemon.local}.copy")) == facts_of(daemon.local)


@pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="torch is not installed")
def test_pytorch_compiles_once(tmp_path: Path) -> None:
    output = _run("pytorch/twice.py", COMPILE_CACHE_NODE=str(node), XDG_RUNTIME_DIR=str(tmp_path))
    first, second = output.split("with the cache of the first:")
    assert "FX graphs: 0 hits" in first
    assert "0 misses" in second
