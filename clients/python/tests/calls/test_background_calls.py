"""Loads and saves in the background."""

from __future__ import annotations

import math
import signal
import threading
from typing import TYPE_CHECKING, Any

import grpc
import pytest

import compilecache
from compilecache import (
    AsyncTransferStatus,
    Environment,
    LoadStatus,
    SaveStatus,
)
from compilecache._calls import daemon_transfer
from compilecache._calls.tracked import TrackedTransfer
from compilecache.transfer_progress import TransferProgress
from compilecache.v1 import cache_service_pb2 as pb
from compilecache.v1 import transfer_pb2
from directories import facts_of, write_unfinished
from model import progress_of
from patience import LONG_ENOUGH_SECONDS, wait_until

if TYPE_CHECKING:
    from conftest import Serve
    from model import Model


pytestmark = pytest.mark.daemon


def _statuses(changes: list[tuple[AsyncTransferStatus, int]]) -> list[AsyncTransferStatus]:
    return [status for status, _ in changes]


def test_a_wait_of_any_length_ends_with_the_transfer() -> None:
    transfer = TrackedTransfer(
        TransferProgress("op1", "save", AsyncTransferStatus.IN_PROGRESS), lambda: None
    )

    def end(progress: TransferProgress) -> None:
        progress.status = AsyncTransferStatus.SUCCESS

    for seconds in (1e10, 1e300, math.inf):
        threading.Timer(0.05, transfer.tell, [end]).start()
        assert transfer.wait(seconds)


def test_a_save_and_a_load_in_the_background(model: Model) -> None:
    model.compile()
    before = facts_of(model.local)
    changes: list[tuple[AsyncTransferStatus, int]] = []

    def note(operation_id: str) -> None:
        progress = progress_of(operation_id)
        changes.append((progress.status, progress.bytes_done))

    saving = compilecache.save_compile_cache_async(progress_callback=note)
    assert compilecache.wait_for_completion(saving, LONG_ENOUGH_SECONDS)
    assert compilecache.is_transfer_complete(saving)
    saved = progress_of(saving)
    assert (saved.status, saved.outcome) == (AsyncTransferStatus.SUCCESS, SaveStatus.SUCCESS)
    assert (saved.operation_id, saved.progress_callback) == (saving, note)
    assert saved.started_at and saved.completed_at
    assert saved.error_message is None
    assert saved.bytes_done == saved.bytes_total > 0
    assert saved.files_done == saved.files_total == 40
    assert saved.started_at <= saved.completed_at

    assert changes[-1] == (AsyncTransferStatus.SUCCESS, saved.bytes_total)
    assert _statuses(changes).count(AsyncTransferStatus.SUCCESS) == 1
    done = [bytes_done for _, bytes_done in changes]
    assert done == sorted(done)

    compilecache.clear_local_cache()
    loading = compilecache.load_compile_cache_async()
    assert compilecache.wait_for_completion(loading)
    assert progress_of(loading).outcome == LoadStatus.SUCCESS
    assert facts_of(model.local) == before


def test_a_miss_is_a_success_with_that_outcome(
    model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    model.compile(1)
    compilecache.save_compile_cache(environment=Environment("2.10.0"))
    compilecache.clear_local_cache()
    loading = compilecache.load_compile_cache_async(environment=Environment("2.12.0"))
    assert compilecache.wait_for_completion(loading, LONG_ENOUGH_SECONDS)
    assert progress_of(loading).status == AsyncTransferStatus.SUCCESS
    assert progress_of(loading).outcome == LoadStatus.DOES_NOT_EXIST
    assert "differs in torch (2.12.0 here, 2.10.0 there)" in caplog.text


@pytest.mark.usefixtures("model")
def test_what_cannot_start_has_ended(caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []
    operation_id = compilecache.load_compile_cache_async(told.append, address="unix:/nowhere")
    assert compilecache.wait_for_completion(operation_id, LONG_ENOUGH_SECONDS)
    assert progress_of(operation_id).outcome == LoadStatus.ERROR
    assert compilecache.is_transfer_complete(operation_id)
    progress = progress_of(operation_id)
    assert progress.status == AsyncTransferStatus.ERROR
    assert progress.error_message and "no daemon answers" in progress.error_message
    assert told == [operation_id]
    assert not compilecache.cancel_transfer(operation_id)
    assert len(caplog.records) == 1


@pytest.mark.usefixtures("model")
def test_what_is_no_operation_id_has_no_transfer() -> None:
    assert compilecache.get_transfer_status("torch_cache_load_1_1700000000") is None
    assert not compilecache.is_transfer_complete("nothing")
    assert not compilecache.wait_for_completion("nothing", 0.1)
    assert not compilecache.cancel_transfer("nothing")
    assert compilecache.list_active_transfers() == {}


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("prefix", ["", "local-"])
def test_what_is_no_longer_known_has_ended_in_an_error(prefix: str) -> None:
    operation_id = f"{prefix}00000000-0000-4000-8000-000000000000"
    assert compilecache.is_transfer_complete(operation_id)
    assert compilecache.wait_for_completion(operation_id)
    assert progress_of(operation_id).status == AsyncTransferStatus.ERROR
    assert not compilecache.cancel_transfer(operation_id)


def test_a_transfer_of_another_process_can_be_followed(model: Model) -> None:
    model.compile()
    operation_id = model.run("""
        import time
        import compilecache

        saving = compilecache.save_compile_cache_async()
        while not compilecache.get_transfer_status(saving).daemon_operation_id:
            time.sleep(0.01)
        print(compilecache.get_transfer_status(saving).daemon_operation_id)
    """)
    assert compilecache.wait_for_completion(operation_id.strip(), LONG_ENOUGH_SECONDS)
    assert progress_of(operation_id.strip()).outcome == SaveStatus.SUCCESS


def test_a_process_that_ends_at_once_has_started_it(model: Model) -> None:
    model.compile()
    model.run("import compilecache; compilecache.save_compile_cache_async()")
    wait_until(model.stored, "the archive")


def test_a_call_returns_whatever_hangs(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a driver that is asked for the environment, or a daemon that starts."""
    goes_on = threading.Event()

    def hang(device: int | None) -> Environment:
        goes_on.wait(LONG_ENOUGH_SECONDS)
        return Environment("2.11.0")

    model.compile(3)
    monkeypatch.setattr("compilecache._calls.request.detect_environment", hang)
    told: list[str] = []
    saving = compilecache.save_compile_cache_async(told.append)
    progress = progress_of(saving)
    assert (progress.status, progress.operation_id) == (AsyncTransferStatus.NOT_STARTED, saving)
    assert progress.daemon_operation_id is None
    assert saving in compilecache.list_active_transfers()
    assert not compilecache.wait_for_completion(saving, 0.01)
    # One that the daemon does not know yet is cancelled at once, and stays so.
    assert compilecache.cancel_transfer(saving)
    assert compilecache.wait_for_completion(saving, LONG_ENOUGH_SECONDS)
    assert progress.status == AsyncTransferStatus.CANCELLED
    assert told == [saving]
    loading = compilecache.load_compile_cache_async(if_local_exists="merge")
    goes_on.set()
    assert compilecache.wait_for_completion(loading, LONG_ENOUGH_SECONDS)
    assert progress_of(loading).outcome == LoadStatus.DOES_NOT_EXIST
    assert progress.status == AsyncTransferStatus.CANCELLED


def test_a_callback_that_fails_is_its_own_affair(
    model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    model.compile(3)

    def fail(operation_id: str) -> None:
        raise ValueError("mine")

    saving = compilecache.save_compile_cache_async(fail)
    assert compilecache.wait_for_completion(saving, LONG_ENOUGH_SECONDS)
    assert progress_of(saving).outcome == SaveStatus.SUCCESS
    assert "a progress callback failed" in caplog.text


def test_a_callback_may_wait_and_cancel(model: Model) -> None:
    model.compile(3)
    answers: list[bool] = []

    def ask(operation_id: str) -> None:
        answers.append(compilecache.wait_for_completion(operation_id))
        answers.append(compilecache.cancel_transfer(operation_id))

    saving = compilecache.save_compile_cache_async(ask)
    assert compilecache.wait_for_completion(saving, LONG_ENOUGH_SECONDS)
    assert answers


def test_a_save_is_cancelled_for_real(model: Model) -> None:
    model.compile()
    write_unfinished(model.local)
    saving = compilecache.save_compile_cache_async()
    assert compilecache.cancel_transfer(saving)
    # It does not return before the transfer has ended, unless that takes longer than 2 s.
    assert compilecache.wait_for_completion(saving, LONG_ENOUGH_SECONDS)
    assert progress_of(saving).status == AsyncTransferStatus.CANCELLED
    assert not compilecache.cancel_transfer(saving)
    assert model.stored() == []
    assert model.daemon.process.poll() is None


def test_a_stopped_daemon_does_not_hold_a_caller(
    model: Model, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model.compile()
    write_unfinished(model.local)
    saving = compilecache.save_compile_cache_async()
    wait_until(lambda: progress_of(saving).daemon_operation_id, "the daemon's id")
    monkeypatch.setattr("compilecache._calls.daemon_transfer.SHORT_CALL_SECONDS", 1.0)
    monkeypatch.setattr(daemon_transfer, "_cancel_seconds", 1.0)
    model.daemon.process.send_signal(signal.SIGSTOP)
    try:
        # The calls' own limits end them, and not the connection's, which are much longer.
        assert not compilecache.cancel_transfer(saving)
        assert "no answer within 1 s" in caplog.text
        assert not compilecache.wait_for_completion(saving, 0.1)
        loading = compilecache.load_compile_cache_async()
        assert compilecache.wait_for_completion(loading, LONG_ENOUGH_SECONDS)
        assert progress_of(loading).status == AsyncTransferStatus.ERROR
        assert "DEADLINE_EXCEEDED" in (progress_of(loading).error_message or "")
    finally:
        model.daemon.process.send_signal(signal.SIGCONT)
    compilecache.cancel_transfer(saving)


def test_any_answer_is_taken(model: Model, serve: Serve) -> None:
    """Such as a newer daemon's, with words that are not known here."""

    def load(request: object, context: grpc.ServicerContext) -> Any:
        unknown: Any = 99
        transfer = transfer_pb2.Transfer(
            operation_id="00000000-0000-4000-8000-00000000000a", phase=unknown, status=unknown
        )
        return pb.LoadResponse(transfer=transfer)

    def save(request: object, context: grpc.ServicerContext) -> Any:
        return pb.SaveResponse()

    address = serve(Load=load, Save=save)
    assert compilecache.load_compile_cache(address=address) == LoadStatus.ERROR
    assert compilecache.save_compile_cache(address=address) == SaveStatus.ERROR
    operation_id = compilecache.load_compile_cache_async(address=address)
    assert compilecache.wait_for_completion(operation_id, LONG_ENOUGH_SECONDS)
    assert progress_of(operation_id).status == AsyncTransferStatus.ERROR
    assert model.stored() == []
