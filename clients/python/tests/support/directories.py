"""Directories to save, and what they hold."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import tempfile
import time
from pathlib import Path
from typing import NamedTuple


class FileFacts(NamedTuple):
    digest: str
    executable: bool
    modified_seconds: int


def temporary_directory(bytes_needed: int = 0) -> tempfile.TemporaryDirectory[str]:
    """A directory in memory where there is room; its path is short enough for sockets."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > bytes_needed
    return tempfile.TemporaryDirectory(dir=memory if roomy else None)


def fill(directory: Path, file_count: int = 40) -> None:
    """Make a small tree of files, finished a while ago."""
    numbers = random.Random(file_count)
    finished = int(time.time()) - 60
    for number in range(file_count):
        path = directory / f"d{number % 7}" / f"größe-{number}.{'so' if number % 3 else 'py'}"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(numbers.randbytes(numbers.randrange(20_000)))
        path.chmod(0o755 if number % 5 == 0 else 0o644)
        os.utime(path, (finished - number, finished - number))


def write_unfinished(directory: Path) -> None:
    """Write a file of just now: a save waits until it is 2 s old.

    It is a little ahead of the clock, so that what a test does meanwhile has nearly 4 s.
    """
    file = directory / "unfinished"
    file.write_bytes(b"...")
    just_now = time.time() + 1.8
    os.utime(file, (just_now, just_now))


def facts_of(directory: Path) -> dict[str, FileFacts]:
    """What must survive a save and a load, of each file."""
    facts: dict[str, FileFacts] = {}
    for path in directory.rglob("*"):
        if path.is_file():
            found = path.stat()
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            executable = bool(found.st_mode & 0o100)
            name = str(path.relative_to(directory))
            facts[name] = FileFacts(digest, executable, int(found.st_mtime))
    return facts
