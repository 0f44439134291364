"""The real daemon of this repository, as a process of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from compilecache import CacheClient, CacheServiceError
from patience import wait_until
from repository import need_node, node, root


class Daemon:
    """A daemon with a socket, a file store and local directories under `directory`."""

    def __init__(self, directory: Path, *flags: str, configuration: Path | None = None) -> None:
        """Start one; a configuration file must have it listen on `daemon.sock`, among others."""
        need_node()
        self.local = directory / "local"
        self.store = directory / "store"
        self.address = f"unix:{directory}/daemon.sock"
        for made in (self.local, self.store):
            made.mkdir()
        self._log = directory / "log"
        command = [str(node), str(root / "server" / "bin" / "compilecache.js"), "serve"]
        listen = ["--listen", self.address]
        if configuration:
            listen = ["--config-file", str(configuration)]
        places = [*listen, "--store", self.store.as_uri()]
        local = ["--torch-cache-dir", str(self.local), "--local-work-dir", str(directory / "app")]
        self._command = [*command, *places, *local, *flags]
        self.process = self._start()

    def start_anew(self) -> None:
        """Start it again after its end."""
        Path(self.address[len("unix:") :]).unlink(missing_ok=True)
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("w") as log:
            process = subprocess.Popen(self._command, stdout=log, stderr=log)
        self._wait_until_it_answers(process)
        return process

    def client(self, token: str | None = None) -> CacheClient:
        return CacheClient(self.address, token=token)

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.process.kill()
        self.process.wait()
        # pytest shows it with a test that failed.
        lines = self._log.read_text().splitlines()
        print(*(line for line in lines if '"level":"error"' in line), sep="\n")

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        socket = Path(self.address[len("unix:") :])
        try:
            wait_until(lambda: socket.exists() or process.poll() is not None, "the daemon's socket")
            assert process.poll() is None, "the daemon has ended"
        except AssertionError:
            process.kill()
            process.wait()
            pytest.fail(f"the daemon did not start:\n{self._log.read_text()}")


def daemons_of(directory: str | Path) -> list[int]:
    """Process ids of the daemons that Python has started for what is below a directory."""
    found: list[int] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        # What launches one is none.
        started = words[0] == os.fsencode(node) and words[1] != b"-e"
        if started and os.fsencode(directory) in b" ".join(words):
            found.append(int(process.name))
    return found


def failure_of(error: pytest.ExceptionInfo[CacheServiceError]) -> tuple[str, str | None]:
    return error.value.code, error.value.reason
