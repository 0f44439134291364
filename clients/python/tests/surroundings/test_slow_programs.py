"""Programs that run models in ways of their own."""

from __future__ import annotations

import importlib.util
import os
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
from surrounded import WORKS, Place, Surrounding, shared_place

if TYPE_CHECKING:
    from collections.abc import Iterator


pytestmark = [pytest.mark.daemon, pytest.mark.slow]


@pytest.fixture(scope="module")
def shared() -> Iterator[Path]:
    with shared_place() as made:
        yield made


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
