"""The rows of test_surroundings.py: what may be around a model's process."""

from __future__ import annotations

import os
import resource
import signal

from surrounded import Surrounding

_node_variables = {
    "NODE_OPTIONS": "--require /nowhere/hook.js",
    "NODE_PATH": "/nowhere",
    "NODE_ENV": "production",
    "NODE_DEBUG": "net",
    "NODE_REDIRECT_WARNINGS": "/nowhere/warnings",
    "NODE_PENDING_DEPRECATION": "1",
    "NODE_CHANNEL_FD": "77",
    "NODE_UNIQUE_ID": "1",
    "ELECTRON_RUN_AS_NODE": "1",
    "npm_config_node_options": "--no-such",
    "UV_THREADPOOL_SIZE": "1",
    "LD_PRELOAD": "/nowhere/profiler.so",
}
# Set by the program itself: its own Python would not have started with them.
_python_variables = """
os.environ.update(
    PYTHONHASHSEED="99999999999", PYTHONHOME="/nowhere", PYTHONPATH="/nowhere", PYTHONUTF8="x",
    PYTHONIOENCODING="utf-16", PYTHONINSPECT="1", PYTHONSAFEPATH="1", PYTHONWARNINGS="error",
    PYTHONMALLOC="none", PYTHONEXECUTABLE="/nowhere/python", PYTHONSTARTUP="/nowhere",
)
use()
"""
_only_ours = """
ours = {k: v for k, v in os.environ.items() if k.startswith(("COMPILE_", "B10FS_", "TORCHIND"))}
os.environ.clear()
os.environ.update(ours)
use()
"""
# A fork while another thread imports leaves a lock behind that nobody holds.
_imports_nothing = """
import compilecache
known = set(sys.modules)
use()
new = set(sys.modules) - known
if new: sys.exit(os.remove(place + "/result") or f"a call has imported {new}")
"""
_standard_names = "queue select socket json typing dataclasses signal"
_no_descriptors = """
import compilecache, resource
resource.setrlimit(resource.RLIMIT_NOFILE, ({left}, 4096))
statuses = compilecache.save_compile_cache().name, compilecache.load_compile_cache().name
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
open(place + "/result", "w").write(" ".join(statuses))
"""


def _started_in(
    name: str,
    variables: dict[str, str | None] | None = None,
    *,
    local: str = "local",
    prepare: str = "",
    before: str = "use()",
) -> Surrounding:
    """A surrounding in which the daemon is started, too."""
    return Surrounding(
        name,
        variables or {},
        local=local,
        prepare=prepare,
        before=before,
        daemon_of_its_own=True,
    )


_settings = [
    _started_in("settings of Node", {**_node_variables}),
    Surrounding("settings of Python", before=_python_variables),
    Surrounding(
        "settings of gRPC",
        {
            "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "cpp",
            "GRPC_VERBOSITY": "debug",
            "http_proxy": "http://127.0.0.1:1",
            "https_proxy": "http://127.0.0.1:1",
        },
    ),
    _started_in("no other variables", before=_only_ours),
]
_places = [
    _started_in("HOME and its like are unset", {"HOME": None, "PATH": "", "TMPDIR": "/nowhere"}),
    _started_in(
        "HOME and its like are odd",
        {"HOME": "/", "XDG_RUNTIME_DIR": "runtime", "XDG_CACHE_HOME": "relative", "TMP": "x"},
    ),
    _started_in(
        "places that cannot be written to",
        {"HOME": "/proc", "XDG_RUNTIME_DIR": "/proc/x", "XDG_CACHE_HOME": "/etc/passwd"},
    ),
    _started_in("a runtime directory for all", prepare="mkdir -m 777 runtime/compilecache"),
    _started_in(
        "a runtime directory like a list", {"XDG_RUNTIME_DIR": "{place}/a,b"}, prepare="mkdir a,b"
    ),
    _started_in(
        "a working directory that is gone",
        prepare="mkdir gone",
        before="os.chdir(place + '/gone'); os.rmdir(place + '/gone'); use()",
    ),
    Surrounding(
        "modules of standard names",
        prepare=f"for name in {_standard_names}; do echo 'raise SystemExit(9)' > $name.py; done",
        before="del sys.path[0]; import compilecache; sys.path.insert(0, place); use()",
    ),
]
_names = [
    _started_in("a name like a map", local="a=b/c"),
    _started_in("a name like a list", local="a,/tmp/b"),
    _started_in("a name like an address", local="a%41?b#c:d;e 'f' \"g\" $HOME"),
    _started_in("a name of two lines", local="a\nb"),
    _started_in("a name that is not ASCII", local="größe-✓"),
    _started_in("a relative name like a flag", {"TORCHINDUCTOR_CACHE_DIR": "-x"}, local="-x"),
    Surrounding("a long name", local="/".join(["x" * 200] * 4)),
    Surrounding(
        "a name that is not UTF-8",
        local="a\udcff",
        result="ERROR False ERROR",
        words="is not UTF-8",
    ),
    _started_in("a link", prepare="mkdir real && mv local real/ && ln -s real/local local"),
    Surrounding("lost and found", prepare="mkdir -m 700 local/lost+found"),
    Surrounding("a directory of a group", prepare="chmod 2775 local ."),
]
_languages = [
    Surrounding(
        f"{language} with {flag}",
        {"LC_ALL": language, "LANG": language, "PYTHONCOERCECLOCALE": "0"},
        flags=("-X", flag),
        local="größe-✓",
        daemon_of_its_own=flag == "utf8=0",
    )
    for language, flag in (("C", "utf8=0"), ("POSIX", "utf8=1"))
]
_starts = [
    Surrounding(f"python {' '.join(flags)}", flags=flags)
    for flags in (("-I",), ("-S", "-E"), ("-OO", "-B"), ("-X", "dev", "-W", "error"))
]
_streams = [
    *(
        Surrounding(
            f"without descriptors {closed}",
            before=f"for number in {closed}: os.close(number)\nuse()",
            daemon_of_its_own=len(closed) == 3,
        )
        for closed in ([0], [1, 2], [0, 1, 2])
    ),
    Surrounding("no streams", before="sys.stdout = sys.stderr = sys.stdin = None; use()"),
    Surrounding(
        "streams that are others",
        before="""
            class Stream:
                def write(self, text): raise OSError("full")
                def flush(self): raise OSError("full")
            sys.stdout = sys.stderr = Stream()
            use()
        """,
    ),
]
_process = [
    Surrounding("umask 077", preexec=lambda: os.umask(0o077), daemon_of_its_own=True),
    Surrounding("umask 0", preexec=lambda: os.umask(0), daemon_of_its_own=True),
    Surrounding(
        "SIGCHLD is ignored",
        preexec=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN),
        daemon_of_its_own=True,
    ),
    Surrounding(
        "signals are blocked",
        preexec=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()),
        daemon_of_its_own=True,
    ),
    Surrounding(
        "a handler that reaps all",
        before="""
            import signal
            def reap(*_):
                try:
                    while os.waitpid(-1, os.WNOHANG)[0]: pass
                except ChildProcessError: pass
            signal.signal(signal.SIGCHLD, reap)
            use()
        """,
    ),
    Surrounding(
        "few descriptors",
        preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)),
    ),
    Surrounding("one descriptor", before=_no_descriptors.format(left=4), result="SUCCESS SKIPPED"),
    Surrounding(
        "no descriptors",
        before=_no_descriptors.format(left=3),
        result="ERROR ERROR",
        words="does not say its version",
    ),
]
_callers = [
    Surrounding(
        "a thread",
        before="import threading; t = threading.Thread(target=use); t.start(); t.join()",
    ),
    Surrounding(
        "a handler of a signal",
        before="""
            import signal
            signal.signal(signal.SIGUSR1, lambda *_: use())
            os.kill(os.getpid(), signal.SIGUSR1)
        """,
    ),
    Surrounding(
        "a loop of asyncio",
        before="""
            import asyncio
            async def main(): use()
            asyncio.run(main())
        """,
    ),
    *(
        Surrounding(
            f"a child by {method}",
            before=f"""
                import multiprocessing
                if __name__ == "__main__":
                    context = multiprocessing.get_context("{method}")
                    child = context.Process(target=use)
                    child.start(); child.join()
            """,
        )
        for method in ("spawn", "forkserver", "fork")
    ),
    Surrounding(
        "a fork while a call runs",
        before="""
            import compilecache
            compilecache.prefetch()
            child = os.fork()
            if child == 0: use(); os._exit(0)
            os.waitpid(child, 0)
        """,
    ),
    Surrounding(
        "a fork that Python is not told of",
        before="""
            import compilecache, ctypes, threading
            compilecache.load_compile_cache()
            # Python itself does not work on after such a fork of a process with several threads.
            for thread in threading.enumerate()[1:]: thread.join()
            child = ctypes.PyDLL(None).fork()
            if child == 0: use(); os._exit(0)
            os.waitpid(child, 0)
        """,
    ),
    Surrounding(
        "an end that waits for nothing",
        before="use(); import compilecache; compilecache.prefetch(local_dir=place + '/other')",
    ),
]
rows = [
    Surrounding("plain", before=_imports_nothing, daemon_of_its_own=True),
    *_settings,
    *_places,
    *_names,
    *_languages,
    *_starts,
    *_streams,
    *_process,
    *_callers,
]


# Rows of which another is nearly the same.
like_others = {
    "a directory of a group",
    "a handler of a signal",
    "a name of two lines",
    "a name that is not ASCII",
    "a relative name like a flag",
    "a runtime directory like a list",
    "a child by forkserver",
    "a child by fork",
    "places that cannot be written to",
    "POSIX with utf8=1",
    "python -OO -B",
    "umask 0",
    "without descriptors [0]",
    "without descriptors [1, 2]",
    "streams that are others",
}
