"""The daemon that a model starts has the model's variables, which nobody wrote for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from compilecache import CacheClient
from compilecache._daemon.start import ensure_daemon
from patience import LONG_ENOUGH_SECONDS

if TYPE_CHECKING:
    pass

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
