"""Places where a model runs: what is around its process, and what it finds of its cache there."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from daemon import daemons_of
from directories import facts_of, fill
from patience import LONG_ENOUGH_SECONDS
from repository import node, source

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

# What a model does with its cache; `use()` writes what came of it.
_program = """
import os, sys
place = sys.argv[1]
sys.path += [p for p in sys.argv[2:] if p not in sys.path]
def use(name="result"):
    import compilecache
    from compilecache._daemon import address
    address.SYSTEM_SOCKET = "/nowhere/daemon.sock"
    saved = compilecache.save_compile_cache()
    cleared = compilecache.clear_local_cache()
    loaded = compilecache.load_compile_cache()
    with open(place + "/" + name, "w") as result:
        result.write(" ".join([saved.name, str(cleared), loaded.name]))
{before}
"""
WORKS = "SUCCESS True SUCCESS"


def kill_daemons_of(directory: Path) -> None:
    """End what Python has started for what is below a directory."""
    for pid in daemons_of(directory):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def shared_place() -> Generator[Path]:
    """A runtime directory and a store for all rows, open to other users; daemons are killed."""
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        place.chmod(0o755)
        (place / "runtime").mkdir(mode=0o700)
        (place / "store").mkdir()
        (place / "store").chmod(0o777)
        yield place
        kill_daemons_of(place)


@dataclass(frozen=True)
class Surrounding:
    """One of them; where nothing else is said it is a plain one."""

    name: str
    variables: Mapping[str, str | None] = field(default_factory=dict[str, "str | None"])
    """With `{place}` for a directory of its own; None for one that is unset."""
    before: str = "use()"
    """The program, which calls `use`."""
    flags: tuple[str, ...] = ()
    """Of Python."""
    local: str = "local"
    """The local directory's name, in its place."""
    prepare: str = ""
    """A shell's command, run in the place."""
    wrapper: tuple[str, ...] = ()
    """A command that gets the model's as arguments."""
    preexec: Callable[[], Any] | None = None
    """Run in the model's process before its program."""
    result: str = WORKS
    words: str = ""
    """What the log must say."""
    daemon_of_its_own: bool = False
    """Whether its daemon is started in it; else one serves all, which the first of them starts."""


class Place:
    """A directory where a model runs in a surrounding, with a cache that it has compiled."""

    def __init__(self, directory: Path, shared: Path, surrounding: Surrounding) -> None:
        """`shared` holds the store and the daemon of all places, which are below it, too."""
        self.directory = directory
        self.shared = shared
        self.store = shared / "store"
        self.surrounding = surrounding
        self.local = Path(os.fsdecode(os.fsencode(f"{directory}/{surrounding.local}")))
        self.output = ""

    def __enter__(self) -> Place:
        torch = self.directory / "packages" / "torch"
        torch.mkdir(parents=True)
        (torch / "__init__.py").touch()
        (torch / "version.py").write_text("__version__ = '2.11.0'\ncuda = None\n")
        (self.directory / "runtime").mkdir(mode=0o700)
        fill(self.local, 3)
        if self.surrounding.prepare:
            subprocess.run(self.surrounding.prepare, shell=True, cwd=self.directory, check=True)
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self.surrounding.daemon_of_its_own:
            kill_daemons_of(self.directory)

    def run(self, python: str | Path = sys.executable) -> str:
        """Run the model to its end, and return what came of its cache."""
        made = self.surrounding
        program = self.directory / "program.py"
        program.write_text(_program.format(before=textwrap.dedent(made.before)))
        path = [self.directory / "packages", source, *filter(None, sys.path)]
        arguments = [self.directory, *path]
        (self.directory / "arguments").write_text("\0".join(map(str, arguments)))
        command = [*made.wrapper, python, *made.flags, program, *arguments]
        before = facts_of(self.local)
        with (self.directory / "log").open("wb") as log:
            process = subprocess.Popen(
                list(map(str, command)),
                env=self.environment(),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=made.preexec,
                start_new_session=True,
            )
            try:
                process.wait(LONG_ENOUGH_SECONDS)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.output = (self.directory / "log").read_text("utf-8", "backslashreplace")
        sys.stderr.write(self.output)
        result = self.directory / "result"
        said = result.read_text() if result.exists() else f"exit code {process.returncode}"
        if said == WORKS:
            # What it says is so.
            assert facts_of(self.local) == before
            assert list(self.store.glob(f"{self._namespace()}/cache_*"))
        return said

    def environment(self) -> dict[str, str]:
        """Return the model's variables."""
        variables: dict[str, str | None] = {
            **os.environ,
            "XDG_RUNTIME_DIR": f"{self.directory}/runtime",
            "COMPILE_CACHE_NODE": str(node),
            "COMPILE_CACHE_IDLE_EXIT_SECONDS": "60",
            "COMPILE_CACHE_NAMESPACE": self._namespace(),
            "B10FS_CACHE_DIR": str(self.store),
            "TORCHINDUCTOR_CACHE_DIR": str(self.local),
            **self._of_the_shared_daemon(),
            **self.surrounding.variables,
        }
        return {
            name: value.replace("{place}", str(self.directory))
            for name, value in variables.items()
            if value is not None
        }

    def _of_the_shared_daemon(self) -> dict[str, str]:
        if self.surrounding.daemon_of_its_own:
            return {}
        return {
            "XDG_RUNTIME_DIR": f"{self.shared}/runtime",
            "COMPILE_CACHE_ALLOWED_DIRS": str(self.shared),
            "COMPILE_CACHE_IDLE_EXIT_SECONDS": "600",
        }

    def _namespace(self) -> str:
        letters = (c if c.isascii() and c.isalnum() else "-" for c in self.surrounding.name.lower())
        return "".join(letters).strip("-")
