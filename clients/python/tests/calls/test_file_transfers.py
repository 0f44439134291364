"""Copies by the daemon and by Python callbacks."""

from __future__ import annotations

import errno
import shutil
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

import compilecache
from compilecache import AsyncTransferStatus, CacheOperationInterrupted, TransferStatus
from model import progress_of
from patience import LONG_ENOUGH_SECONDS

if TYPE_CHECKING:
    from model import Model

pytestmark = pytest.mark.daemon


def _copy(source: Path, dest: Path) -> None:
    shutil.copy2(source, dest)


def _never_end(source: Path, dest: Path) -> None:
    while True:
        time.sleep(0.01)


def test_a_callback_gets_what_it_is_given(tmp_path: Path) -> None:
    calls: list[object] = []

    def work(source: Path, dest: Path, *args: object, **kwargs: object) -> None:
        calls.append((source, dest, args, kwargs, threading.current_thread().name))

    source, dest = tmp_path / "a", tmp_path / "b"
    status = compilecache.transfer(source, dest, work, 1, monitor_b10fs=False, level=3)
    assert status == TransferStatus.SUCCESS
    assert calls == [(source, dest, (1,), {"level": 3}, "compilecache-transfer")]


def test_a_callback_in_the_background_is_tracked(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("kernel")
    goes_on = threading.Event()
    changes: list[AsyncTransferStatus] = []

    def work(source: Path, dest: Path, times: int) -> None:
        goes_on.wait(LONG_ENOUGH_SECONDS)
        for _ in range(times):
            _copy(source, dest)

    operation_id = compilecache.start_transfer_async(
        source=tmp_path / "a",
        dest=tmp_path / "b",
        callback=work,
        operation_name="copy of a",
        progress_callback=lambda name: changes.append(progress_of(name).status),
        monitor_local=True,
        monitor_b10fs=False,
        times=2,
    )
    assert list(compilecache.list_active_transfers()) == [operation_id]
    assert not compilecache.wait_for_completion(operation_id, 0.05)
    goes_on.set()
    assert compilecache.wait_for_completion(operation_id, LONG_ENOUGH_SECONDS)
    progress = progress_of(operation_id)
    assert (progress.operation_name, progress.status.name) == ("copy of a", "SUCCESS")
    assert progress.started_at and progress.completed_at
    assert progress.started_at <= progress.completed_at
    assert (tmp_path / "b").read_text() == "kernel"
    assert changes == [AsyncTransferStatus.IN_PROGRESS, AsyncTransferStatus.SUCCESS]


def test_what_a_callback_raises_is_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def work(source: Path, dest: Path) -> None:
        raise ValueError("no such kernel")

    assert compilecache.transfer(tmp_path, tmp_path, work) == TransferStatus.ERROR
    assert "ValueError: no such kernel" in caplog.text
    operation_id = compilecache.start_transfer_async(tmp_path, tmp_path, work, "mine")
    assert compilecache.wait_for_completion(operation_id, LONG_ENOUGH_SECONDS)
    assert progress_of(operation_id).error_message == "ValueError: no such kernel"


def test_a_callback_without_space_is_interrupted(tmp_path: Path) -> None:
    def work(source: Path, dest: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    assert compilecache.transfer(tmp_path, tmp_path, work) == TransferStatus.INTERRUPTED


def test_a_cancelled_callback_stops(tmp_path: Path) -> None:
    raised: list[BaseException] = []
    begun = threading.Event()

    def work(source: Path, dest: Path) -> None:
        try:
            begun.set()
            _never_end(source, dest)
        except CacheOperationInterrupted as error:
            raised.append(error)
            raise

    operation_id = compilecache.start_transfer_async(tmp_path, tmp_path, work, "endless")
    assert begun.wait(LONG_ENOUGH_SECONDS)
    assert compilecache.cancel_transfer(operation_id)
    assert compilecache.wait_for_completion(operation_id, LONG_ENOUGH_SECONDS)
    assert progress_of(operation_id).status == AsyncTransferStatus.CANCELLED
    assert len(raised) == 1
    assert not compilecache.cancel_transfer(operation_id)


def test_a_callback_that_cannot_stop_yet_is_still_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compilecache._calls.background_calls._cancel_seconds", 0.1)
    begun, goes_on = threading.Event(), threading.Event()

    def work(source: Path, dest: Path) -> None:
        begun.set()
        goes_on.wait(LONG_ENOUGH_SECONDS)

    operation_id = compilecache.start_transfer_async(tmp_path, tmp_path, work, "stubborn")
    assert begun.wait(LONG_ENOUGH_SECONDS)
    # It was told to.
    assert compilecache.cancel_transfer(operation_id)
    assert not compilecache.is_transfer_complete(operation_id)
    goes_on.set()
    assert compilecache.wait_for_completion(operation_id, LONG_ENOUGH_SECONDS)
    assert progress_of(operation_id).status == AsyncTransferStatus.CANCELLED


def test_a_callback_that_is_cancelled_at_its_end_does_no_harm(tmp_path: Path) -> None:
    def work(source: Path, dest: Path) -> None:
        sum(range(20_000))

    for pause in range(40):
        operation_id = compilecache.start_transfer_async(tmp_path, tmp_path, work, "short")
        time.sleep(pause / 40_000)
        compilecache.cancel_transfer(operation_id)
        assert compilecache.wait_for_completion(operation_id, LONG_ENOUGH_SECONDS)
        ended = progress_of(operation_id).status
        assert ended in (AsyncTransferStatus.SUCCESS, AsyncTransferStatus.CANCELLED)


@pytest.mark.parametrize(
    ("in_store", "flags", "status"),
    [
        (False, {}, TransferStatus.INTERRUPTED),
        (False, {"monitor_b10fs": False}, TransferStatus.INTERRUPTED),
        (False, {"monitor_local": False}, TransferStatus.SUCCESS),
        (True, {"monitor_local": False}, TransferStatus.INTERRUPTED),
        (True, {"monitor_b10fs": False}, TransferStatus.SUCCESS),
    ],
)
def test_space_is_watched_where_the_destination_lies(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    in_store: bool,
    flags: dict[str, bool],
    status: TransferStatus,
) -> None:
    monkeypatch.setenv("B10FS_CACHE_DIR", str(tmp_path / "store"))
    monkeypatch.setattr("compilecache._calls.local_transfer._space_check_seconds", 0.02)
    free = iter([10**9, 10**9])

    def disk_usage(path: Path) -> SimpleNamespace:
        assert path == tmp_path
        return SimpleNamespace(free=next(free, 0))

    monkeypatch.setattr("compilecache._calls.local_transfer.shutil.disk_usage", disk_usage)

    def work(source: Path, dest: Path) -> None:
        if status == TransferStatus.INTERRUPTED:
            _never_end(source, dest)
        # Where it is not watched nothing happens, however long that takes.
        time.sleep(0.5)

    dest = tmp_path / ("store" if in_store else "elsewhere") / "new" / "b"
    assert compilecache.transfer(tmp_path / "a", dest, work, **flags) == status


def test_without_a_callback_the_daemon_copies(model: Model) -> None:
    model.local.mkdir()
    (model.local / "a").write_text("kernel")
    assert compilecache.transfer(model.local / "a", model.local / "b") == TransferStatus.SUCCESS
    assert (model.local / "b").read_text() == "kernel"
    changes: list[str] = []
    operation_id = compilecache.start_transfer_async(
        model.local / "a", model.local / "c", None, "copy of a", changes.append
    )
    assert compilecache.wait_for_completion(operation_id, LONG_ENOUGH_SECONDS)
    assert progress_of(operation_id).operation_name == "copy of a"
    assert (model.local / "c").read_text() == "kernel"
    assert set(changes) == {operation_id}


@pytest.mark.usefixtures("model")
def test_what_the_daemon_may_not_copy_is_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert compilecache.transfer("/etc/passwd", tmp_path / "b") == TransferStatus.ERROR
    assert "PATH_NOT_ALLOWED" in caplog.text


def test_a_process_waits_for_its_callbacks(model: Model) -> None:
    script = """
        import time
        import compilecache

        def work(source, dest):
            time.sleep(0.3)
            print("copied")

        compilecache.start_transfer_async("a", "b", work, "copy")
    """
    assert model.run(script) == "copied\n"
