"""The daemon that a model starts has the model's variables, which nobody wrote for it."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from compilecache import CacheClient
from compilecache._daemon import address as daemon_address
from compilecache._daemon.start import ensure_daemon
from patience import LONG_ENOUGH_SECONDS
from repository import need_node, node

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.daemon

_odd = {
    "LOG_LEVEL": "loud",
    "LOG_FORMAT": "%(asctime)s %(message)s",
    "LOCAL_WORK_DIR": ".",
    "ARCHIVE_FORMAT": "zip",
    "MAX_CACHE_SIZE_MB": "4GB",
    "MAX_CONTENT_SIZE_MB": "-1",
    "MAX_FILE_COUNT": "1e6",
    "SHUTDOWN_GRACE_SECONDS": "30s",
    "TMPDIR": "/none/such",
    "UV_THREADPOOL_SIZE": "many",
    "TZ": "nowhere",
    "http_proxy": "http://127.0.0.1:1",
}


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    need_node()
    with tempfile.TemporaryDirectory() as made:
        monkeypatch.setenv("XDG_RUNTIME_DIR", made)
        monkeypatch.setenv("COMPILE_CACHE_NODE", str(node))
        monkeypatch.setenv("B10FS_CACHE_DIR", f"{made}/store")
        monkeypatch.delenv("COMPILE_CACHE_STORE", raising=False)
        monkeypatch.setattr(daemon_address, "SYSTEM_SOCKET", "/nowhere/daemon.sock")
        yield Path(made)
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes()
            except OSError:
                continue
            if f"unix:{made}/".encode() in words:
                os.kill(int(process.name), signal.SIGKILL)


def test_a_model_s_own_variables_do_not_keep_the_daemon_from_starting(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in _odd.items():
        monkeypatch.setenv(name, text)
    # A path that a list would take apart, too.
    local = runtime / "a=b,c d"
    address = ensure_daemon(local, timeout_seconds=LONG_ENOUGH_SECONDS)
    with CacheClient(address) as client:
        assert not client.list_caches().caches
        client.clear_local_cache(local_dir=local)
    logs = "".join(path.read_text() for path in runtime.rglob("*.log"))
    for name in list(_odd)[:8]:
        assert f"{name}: " in logs
