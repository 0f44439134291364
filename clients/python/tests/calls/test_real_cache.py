"""The round trip of a real cache, where it is present."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from compilecache import Environment
from compilecache.v1 import transfer_pb2
from daemon import Daemon
from directories import facts_of, temporary_directory
from repository import root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Call

_archive = root.parent / "shared" / "data" / "inductor-cache-h200.tar.xz"
_bytes_needed = 2_000_000_000

pytestmark = [
    pytest.mark.daemon,
    pytest.mark.skipif(not _archive.exists(), reason=f"{_archive} is absent"),
    # tarfile wants a filter, which not every Python 3.11 knows.
    pytest.mark.filterwarnings("default::DeprecationWarning"),
]


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    """A daemon whose local directory holds the real cache."""
    with temporary_directory(_bytes_needed) as directory, Daemon(Path(directory)) as made:
        with tarfile.open(_archive) as archive:
            archive.extractall(made.local)
        yield made


def test_a_real_cache_loads_byte_for_byte(daemon: Daemon, call: Call) -> None:
    environment = Environment("2.11.0+cu130", "13.0", "9.0", "3.6.0", extra={"py": "3.12"})
    cache = daemon.local / "ti_snapshot"
    before = facts_of(cache)
    assert len(before) == 12_462
    saved = call(daemon.address, "save", environment, local_dir=cache, if_stored_exists="replace")
    assert saved.status == transfer_pb2.SAVE_STATUS_SUCCESS
    assert saved.cache.file_count == 12_462
    assert call(daemon.address, "clear_local_cache", local_dir=cache).file_count == 12_462
    loaded = call(daemon.address, "load", environment, local_dir=cache)
    assert loaded.status == transfer_pb2.LOAD_STATUS_SUCCESS
    assert facts_of(cache) == before
