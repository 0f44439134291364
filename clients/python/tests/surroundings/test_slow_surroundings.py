"""Surroundings that take longer, or need root, a compiler, uWSGI or gevent: `npm run
test:surroundings` installs the last two.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from directories import facts_of
from patience import LONG_ENOUGH_SECONDS
from repository import source
from surrounded import WORKS, Place, Surrounding, kill_daemons_of

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
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        (Path(made) / "runtime").mkdir(mode=0o700)
        (Path(made) / "store").mkdir(mode=0o777)
        (Path(made) / "store").chmod(0o777)
        yield Path(made)
        kill_daemons_of(Path(made))


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


_uwsgi_app = """
import os, sys
place = {place!r}
sys.path += {path!r}
import compilecache
from compilecache._daemon import address
address.SYSTEM_SOCKET = "/nowhere/daemon.sock"
with open(place + "/starts", "a") as starts:
    starts.write(str(os.getpid()) + "\\n")
if {before_fork}:
    compilecache.prefetch()

def application(environ, start_response):
    said = [
        compilecache.save_compile_cache().name,
        str(compilecache.clear_local_cache()),
        # Another one than what was started ahead.
        compilecache.load_compile_cache(if_local_exists="merge").name,
    ]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [" ".join(said).encode()]
"""


_patient_curl = ["curl", "-s", "--retry", "60", "--retry-all-errors", "--retry-delay", "1"]


@pytest.mark.skipif(not shutil.which("uwsgi"), reason="uWSGI is not installed")
@pytest.mark.parametrize(
    ("options", "python", "before_fork"),
    [
        ([], "found", False),
        (["--enable-threads"], "found", True),
        (["--master", "--processes", "2"], "found", False),
        # Without this option no thread may have been started before uWSGI forks.
        (["--master", "--processes", "2", "--py-call-uwsgi-fork-hooks"], "found", True),
        (["--enable-threads"], "not found", True),
        (["--master", "--processes", "2"], "not found", False),
    ],
)
def test_uwsgi(shared: Path, options: list[str], python: str, before_fork: bool) -> None:
    """Its program is sys.executable, and it forks without telling Python."""
    with tempfile.TemporaryDirectory(dir=shared) as made:
        surrounding = Surrounding(f"uwsgi {python} {len(options)}", daemon_of_its_own=True)
        with Place(Path(made), shared, surrounding) as place:
            before = facts_of(place.local)
            path = [f"{made}/packages", str(source), *filter(None, sys.path)]
            app = _uwsgi_app.format(place=made, path=path, before_fork=before_fork)
            if python == "not found":
                app = (
                    "import sys\n"
                    "sys.prefix = sys.base_prefix = sys.exec_prefix = '/nowhere'\n"
                    "sys._base_executable = ''\n" + app
                )
            (Path(made) / "app.py").write_text(app)
            http = f"{made}/http.sock"
            command = ["uwsgi", "--http-socket", http, "--wsgi-file", f"{made}/app.py"]
            server = subprocess.Popen(
                [*command, "--home", sys.base_prefix, *options],
                env=place.environment(),
                start_new_session=True,
            )
            try:
                said = subprocess.run(
                    [*_patient_curl, "--unix-socket", http, "http://x/"],
                    stdout=subprocess.PIPE,
                    timeout=LONG_ENOUGH_SECONDS,
                    text=True,
                ).stdout
            finally:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()
            assert said == WORKS
            assert facts_of(place.local) == before
            # The server itself; a copy that was tried as a Python ends before it gets there.
            assert len((Path(made) / "starts").read_text().split()) == 1


_gevent_rows = [
    Surrounding(
        "gevent before the import", before="from gevent import monkey; monkey.patch_all(); use()"
    ),
    Surrounding(
        "gevent after the import",
        before="import compilecache; from gevent import monkey; monkey.patch_all(); use()",
    ),
    Surrounding(
        "a greenlet",
        before="""
            from gevent import monkey; monkey.patch_all()
            import gevent
            ticks = []
            def tick():
                while True:
                    ticks.append(1)
                    gevent.sleep(0.01)
            gevent.spawn(tick)
            gevent.spawn(use).join()
            # The others went on meanwhile.
            assert len(ticks) > 5
        """,
    ),
]


@pytest.mark.skipif(not importlib.util.find_spec("gevent"), reason="gevent is not installed")
@pytest.mark.parametrize("surrounding", _gevent_rows, ids=[row.name for row in _gevent_rows])
def test_gevent(shared: Path, surrounding: Surrounding) -> None:
    with (
        tempfile.TemporaryDirectory(dir=shared) as made,
        Place(Path(made), shared, surrounding) as place,
    ):
        assert place.run() == WORKS


_host = """
#include <Python.h>
#include <stdio.h>
int main(int argc, char **argv) {
  FILE *starts = fopen("starts", "a");
  fputs("started\\n", starts);
  fclose(starts);
  PyConfig config;
  PyConfig_InitPythonConfig(&config);
  config.parse_argv = 0;
  PyConfig_SetBytesString(&config, &config.home, PREFIX);
  PyConfig_SetBytesString(&config, &config.executable, argv[0]);
  PyConfig_SetBytesString(&config, &config.program_name, argv[0]);
  Py_InitializeFromConfig(&config);
  char path[4096];
  snprintf(path, sizeof path, "import sys; sys.argv[1:] = open('arguments').read().split('\\\\0')");
  PyRun_SimpleString(path);
  FILE *program = fopen("program.py", "r");
  return PyRun_SimpleFile(program, "program.py");
}
"""


@pytest.mark.skipif(
    not sysconfig.get_config_var("LDLIBRARY") or not shutil.which("gcc"),
    reason="nothing to build a program with that holds a Python",
)
@pytest.mark.parametrize("installed", [True, False])
def test_a_program_that_holds_a_python(shared: Path, installed: bool) -> None:
    """It runs its model whatever its arguments are."""
    hidden = "sys.prefix = sys.base_prefix = sys.exec_prefix = '/none'; sys._base_executable = ''\n"
    surrounding = Surrounding(
        f"a program {installed}",
        before=f"{'' if installed else hidden}use()",
        daemon_of_its_own=True,
    )
    with (
        tempfile.TemporaryDirectory(dir=shared) as made,
        Place(Path(made), shared, surrounding) as place,
    ):
        host = Path(made) / "host"
        (Path(made) / "host.c").write_text(_host)
        variables = sysconfig.get_config_vars()
        library = f"python{variables['LDVERSION']}"
        build = ["gcc", "host.c", "-o", "host", f"-I{variables['INCLUDEPY']}"]
        build += [
            f'-DPREFIX="{sys.base_prefix}"',
            f"-L{variables['LIBDIR']}",
            f"-L{variables['LIBPL']}",
        ]
        build += [f"-l{library}", *f"{variables['LIBS']} {variables['SYSLIBS']}".split()]
        build += [*variables["LINKFORSHARED"].split(), f"-Wl,-rpath,{variables['LIBDIR']}"]
        subprocess.run(build, cwd=made, check=True)
        assert place.run(host) == WORKS
        assert (Path(made) / "starts").read_text().count("started") == (1 if installed else 2)
