"""What surrounds a model that uses the cache."""

from __future__ import annotations

import importlib
import itertools
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from compilecache import TransferProgress, get_transfer_status
from compilecache._calls import (
    ancestor_settings,
    load_save,
    misspelled_settings,
    record,
    torch_settings,
)
from compilecache._calls.tracked import tracked_transfers
from directories import fill
from patience import LONG_ENOUGH_SECONDS

if TYPE_CHECKING:
    import pytest

    from daemon import Daemon

_numbers = itertools.count()


class Model:
    """A daemon, a torch whose version can be found, a local directory and a namespace."""

    def __init__(self, daemon: Daemon, directory: Path) -> None:
        number = next(_numbers)
        self.daemon = daemon
        self.packages = directory / "packages"
        self.local = daemon.local / f"model-{number}"
        self.namespace = f"model-{number}"
        self.set_torch_version("2.11.0+cpu")
        self.variables = {
            "COMPILE_CACHE_ADDRESS": daemon.address,
            "COMPILE_CACHE_NAMESPACE": self.namespace,
            "COMPILE_CACHE_LOAD_DEADLINE_SECONDS": str(LONG_ENOUGH_SECONDS),
            "TORCHINDUCTOR_CACHE_DIR": str(self.local),
        }

    def set_torch_version(self, version: str) -> None:
        torch = self.packages / "torch"
        torch.mkdir(parents=True, exist_ok=True)
        (torch / "__init__.py").touch()
        (torch / "version.py").write_text(f"__version__ = {version!r}\ncuda = None\nhip = None\n")

    def compile(self, file_count: int = 40) -> None:
        """Fill the local directory, as a model's warm-up does."""
        self.local.mkdir(exist_ok=True)
        fill(self.local, file_count)

    def stored(self) -> list[str]:
        """Names of the archives of this model."""
        return sorted(path.name for path in self.daemon.store.glob(f"{self.namespace}/*"))

    def start(self, script: str, **variables: str) -> subprocess.Popen[str]:
        """Start a script in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
            env={**os.environ, "PYTHONPATH": str(self.packages), **self.variables, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, script: str, **variables: str) -> str:
        """Run a script to its end, which must be a good one; return what it prints."""
        with self.start(script, **variables) as process:
            try:
                output, errors = process.communicate(timeout=LONG_ENOUGH_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        assert process.returncode == 0, errors
        return output


def import_first_from(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """Let what is in a directory be imported before all else."""
    monkeypatch.setattr(sys, "path", [str(directory), *sys.path])
    importlib.invalidate_caches()


def progress_of(operation_id: str) -> TransferProgress:
    """The progress of a transfer that is known."""
    progress = get_transfer_status(operation_id)
    assert progress
    return progress


def prefetch_has_ended() -> bool:
    """Whether the load that `prefetch` started has its answer."""
    call = getattr(load_save, "_prefetching")  # noqa: B009 - it is not for others than tests
    return bool(getattr(call, "_result").done())  # noqa: B009


def forget_everything() -> None:
    """Make this process as one that has not used the cache yet."""
    load_save.forget_prefetched()
    record.forget_last_load()
    tracked_transfers.forget_all()
    torch_settings.forget_what_was_told()
    ancestor_settings.forget_what_was_told()
    misspelled_settings.forget_what_was_told()
