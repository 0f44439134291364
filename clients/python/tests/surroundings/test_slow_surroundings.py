"""Surroundings that take longer, or need root, a compiler, uWSGI or gevent: `npm run
test:surroundings` installs the last two.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from directories import facts_of
from surrounded import WORKS, Place, Surrounding, shared_place

if TYPE_CHECKING:
    from collections.abc import Iterator


pytestmark = [pytest.mark.daemon, pytest.mark.slow]

_nobody = 12345

_namespaces = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec")


def _mounted(commands: str) -> tuple[str, ...]:
    """A wrapper that runs commands in a mount namespace of its own, then the model as PID 1."""
    return (*_namespaces, f'mount -t proc proc /proc; {commands}; exec "$@"', "sh")


def _has_namespaces() -> bool:
    return subprocess.run([*_namespaces, "true"], capture_output=True).returncode == 0


def _as_nobody() -> None:
    os.setgroups([])
    os.setgid(0)
    os.setuid(_nobody)


_in_namespaces = [
    Surrounding("the first process", wrapper=_mounted(":"), daemon_of_its_own=True),
    Surrounding(
        "tmp that cannot be written to",
        {"XDG_RUNTIME_DIR": None, "HOME": "/nowhere"},
        wrapper=_mounted(
            "mount --bind /tmp /tmp; mount -o remount,bind,ro /tmp;"
            "for kept in $PWD $PWD/../store; do"
            " mount --bind $kept $kept; mount -o remount,bind,rw $kept; done"
        ),
        daemon_of_its_own=True,
    ),
    Surrounding(
        "a root that cannot be written to",
        {"XDG_RUNTIME_DIR": None, "HOME": "/"},
        wrapper=_mounted(
            "mount --bind $PWD $PWD; mount --bind $PWD/../store $PWD/../store;"
            "mount -t tmpfs none /dev/shm; mount -o remount,bind,ro /"
        ),
        daemon_of_its_own=True,
    ),
    Surrounding(
        "nothing that can be written to",
        {"XDG_RUNTIME_DIR": None, "HOME": "/nowhere"},
        wrapper=_mounted("mount -o ro -t tmpfs none /dev/shm; mount -o remount,bind,ro /"),
        # Its result is of a pipe's other end.
        before="""
            import compilecache
            from compilecache._daemon import address
            address.SYSTEM_SOCKET = "/nowhere"
            print(compilecache.load_compile_cache().name, compilecache.save_compile_cache().name)
        """,
        daemon_of_its_own=True,
        result="exit code 0",
        words="this user's alone; tried",
    ),
    Surrounding(
        "a local directory that is a mount point",
        wrapper=_mounted("mount --bind local local"),
        daemon_of_its_own=True,
    ),
]


@pytest.fixture(scope="module")
def shared() -> Iterator[Path]:
    with shared_place() as made:
        yield made


@pytest.mark.skipif(not _has_namespaces(), reason="no right to namespaces here")
@pytest.mark.parametrize("surrounding", _in_namespaces, ids=[row.name for row in _in_namespaces])
def test_a_model_finds_its_cache(shared: Path, surrounding: Surrounding) -> None:
    with (
        tempfile.TemporaryDirectory(dir=shared) as made,
        Place(Path(made), shared, surrounding) as place,
    ):
        assert place.run() == surrounding.result
        assert surrounding.words in place.output


@pytest.mark.skipif(not _has_namespaces(), reason="no right to namespaces here")
def test_containers_that_share_the_socket_s_directory_have_daemons_of_their_own(
    shared: Path,
) -> None:
    """Each has another directory under one path, and what it loads must come there."""
    with tempfile.TemporaryDirectory(dir=shared) as made:
        directory = Path(made)
        surrounding = Surrounding(
            "containers",
            {"XDG_RUNTIME_DIR": None},
            wrapper=_mounted("mount --bind container local"),
            daemon_of_its_own=True,
            prepare="mkdir container; cp -a local/. container/",
        )
        with Place(directory, shared, surrounding) as place:
            before = facts_of(directory / "container")
            shutil.rmtree(place.local)
            place.local.mkdir()
            for _ in range(2):
                # The daemon of the first is there still.
                assert place.run() in (WORKS, "SKIPPED True SUCCESS")
                assert facts_of(directory / "container") == before
                assert facts_of(place.local) == {}


def _python_for_all() -> str | None:
    """A Python of this version that other users can start, too."""
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        with contextlib.suppress(OSError):
            command = [python, "-c", "import ctypes"]
            if subprocess.run(command, preexec_fn=_as_nobody, cwd="/").returncode == 0:
                return python
    return None


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize(
    ("name", "limit"), [("without a name in the group root", 4096), ("of few processes", 3)]
)
def test_another_user(shared: Path, name: str, limit: int) -> None:
    """Whom no account is for, as in OpenShift's containers; and who can start too little."""

    def become() -> None:
        resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))
        _as_nobody()

    surrounding = Surrounding(
        f"a user {name}",
        {"HOME": "/", "XDG_RUNTIME_DIR": None},
        prepare=f"chown -R {_nobody}:0 . && chmod 755 .",
        preexec=become,
        daemon_of_its_own=True,
    )
    with (
        tempfile.TemporaryDirectory(dir=shared) as made,
        Place(Path(made), shared, surrounding) as place,
    ):
        python = _python_for_all()
        if not python:
            pytest.skip("this Python is not for others")
        said = place.run(python)
        # Where neither Node nor a thread can be started, that is what is said.
        assert said == WORKS or (limit == 3 and re.fullmatch(r"ERROR \w+ ERROR", said))
