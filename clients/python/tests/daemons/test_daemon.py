"""Both clients against the real daemon."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from compilecache import AsyncCacheClient, CacheClient, CacheServiceError, Environment
from compilecache.errors import error_from_status
from compilecache.v1 import transfer_pb2
from daemon import Daemon, failure_of
from directories import facts_of, fill, temporary_directory, write_unfinished
from patience import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compilecache.v1.transfer_pb2 import Transfer
    from conftest import Call

pytestmark = pytest.mark.daemon

_numbers = itertools.count()
_unknown_operation = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with temporary_directory() as directory, Daemon(Path(directory)) as made:
        yield made


@pytest.fixture
def local_dir(daemon: Daemon) -> Path:
    """A local directory of this test's own."""
    made = daemon.local / str(next(_numbers))
    made.mkdir()
    return made


@pytest.fixture
def environment() -> Environment:
    """An environment of this test's own."""
    return Environment("2.11.0", "13.0", "9.0", "3.6.0", extra={"test": str(next(_numbers))})


def _is_final(transfer: Transfer) -> bool:
    return transfer.status not in (
        transfer_pb2.TRANSFER_STATUS_NOT_STARTED,
        transfer_pb2.TRANSFER_STATUS_IN_PROGRESS,
    )


def test_what_is_saved_loads_byte_for_byte(
    daemon: Daemon, call: Call, local_dir: Path, environment: Environment
) -> None:
    fill(local_dir)
    before = facts_of(local_dir)
    where = {"local_dir": local_dir}

    saved = call(daemon.address, "save", environment, **where)
    assert saved.status == transfer_pb2.SAVE_STATUS_SUCCESS
    assert saved.cache.file_count == len(before) == 40
    again = call(daemon.address, "save", environment, **where)
    assert again.status == transfer_pb2.SAVE_STATUS_SKIPPED

    info = call(daemon.address, "get_cache_info", environment, **where)
    assert (info.environment_key, info.cache_key) == (environment.key(), environment.cache_key())
    assert (info.local_exists, info.local_file_count) == (True, 40)
    assert Environment.from_message(info.stored.environment) == environment

    assert call(daemon.address, "clear_local_cache", **where).file_count == 40
    assert facts_of(local_dir) == {}

    loaded = call(daemon.address, "load", environment, **where)
    assert loaded.status == transfer_pb2.LOAD_STATUS_SUCCESS
    assert facts_of(local_dir) == before
    again = call(daemon.address, "load", environment, **where)
    assert again.status == transfer_pb2.LOAD_STATUS_SKIPPED


def test_a_watch_follows_a_transfer_to_its_end(
    daemon: Daemon, local_dir: Path, environment: Environment
) -> None:
    fill(local_dir)
    write_unfinished(local_dir)
    with daemon.client() as client:
        started = client.save(environment, local_dir=local_dir, detach=True)
        assert started.status == transfer_pb2.SAVE_STATUS_IN_PROGRESS
        states = list(client.watch(started.transfer.operation_id))
    _check_states(states)
    assert states[-1].save.cache.cache_key == environment.cache_key()


def test_a_watch_follows_a_transfer_to_its_end_with_asyncio(
    daemon: Daemon, local_dir: Path, environment: Environment
) -> None:
    fill(local_dir)
    write_unfinished(local_dir)

    async def run() -> list[Transfer]:
        async with AsyncCacheClient(daemon.address) as client:
            started = await client.save(environment, local_dir=local_dir, detach=True)
            return [state async for state in client.watch(started.transfer.operation_id)]

    _check_states(asyncio.run(run()))


def _check_states(states: list[Transfer]) -> None:
    assert len(states) > 1
    assert [_is_final(state) for state in states] == [False] * (len(states) - 1) + [True]
    done = [state.bytes_done for state in states]
    assert done == sorted(done)
    last = states[-1]
    assert last.status == transfer_pb2.TRANSFER_STATUS_SUCCESS
    assert last.bytes_done == last.bytes_total > 0
    assert last.files_done == last.files_total == last.save.cache.file_count


def test_a_miss_names_the_closest_cache(
    daemon: Daemon, call: Call, local_dir: Path, environment: Environment
) -> None:
    fill(local_dir, 1)
    labels = {**environment.extra, "py": "3.13"}
    wanted = Environment("2.12.0", "13.0", "9.0", "3.6.0", extra=labels)
    # A namespace of its own, where no other test's cache comes closer.
    of_mine = {"namespace": f"miss-{next(_numbers)}", "local_dir": local_dir}
    call(daemon.address, "save", environment, **of_mine)
    missed = call(daemon.address, "load", wanted, if_local_exists="replace", **of_mine)
    assert missed.status == transfer_pb2.LOAD_STATUS_DOES_NOT_EXIST
    assert missed.closest.cache.cache_key == environment.cache_key()
    assert list(missed.closest.differing) == wanted.differing(environment) == ["torch", "py"]


def test_caches_are_listed_and_deleted(
    daemon: Daemon, call: Call, local_dir: Path, environment: Environment
) -> None:
    namespace = f"listed-{next(_numbers)}"
    fill(local_dir, 1)
    call(daemon.address, "save", environment, local_dir=local_dir, namespace=namespace)
    with daemon.client() as client:
        found = list(client.all_caches(namespace=namespace, environment=environment))
    assert [(cache.namespace, cache.cache_key) for cache in found] == [
        (namespace, environment.cache_key())
    ]
    assert found[0].is_current_environment
    call(daemon.address, "delete_cache", environment.cache_key(), namespace=namespace)
    with pytest.raises(CacheServiceError) as caught:
        call(daemon.address, "delete_cache", environment.cache_key(), namespace=namespace)
    assert failure_of(caught) == ("NOT_FOUND", "CACHE_NOT_FOUND")


def test_a_copy_is_a_transfer_like_others(daemon: Daemon, local_dir: Path) -> None:
    fill(local_dir / "from")
    source, destination = local_dir / "from", local_dir / "to"
    with daemon.client() as client:
        started = client.start_transfer(str(source), str(destination), operation_name="mine")
        assert started.operation_name == "mine"
        *_, last = client.watch(started.operation_id)
        assert client.get_transfer(started.operation_id) == last
    assert last.status == transfer_pb2.TRANSFER_STATUS_SUCCESS
    assert facts_of(destination) == facts_of(source)


def test_a_cancelled_transfer_says_so(
    daemon: Daemon, local_dir: Path, environment: Environment
) -> None:
    write_unfinished(local_dir)
    with daemon.client() as client:
        started = client.save(environment, local_dir=local_dir, detach=True)
        watch = client.watch(started.transfer.operation_id)
        next(watch)
        cancelled = client.cancel_transfer(started.transfer.operation_id)
        *_, last = watch
    assert cancelled.status == last.status == transfer_pb2.TRANSFER_STATUS_CANCELLED
    assert error_from_status(last.error).code == "CANCELLED"


def test_a_call_whose_time_is_up_cancels_its_transfer(
    daemon: Daemon, call: Call, local_dir: Path, environment: Environment
) -> None:
    write_unfinished(local_dir)
    with pytest.raises(CacheServiceError) as caught:
        call(daemon.address, "save", environment, local_dir=local_dir, timeout_seconds=1.5)
    assert failure_of(caught) == ("DEADLINE_EXCEEDED", None)
    with daemon.client() as client:
        newest = next(client.all_transfers(include_finished=True))
        *_, last = client.watch(newest.operation_id)
    assert last.cache_key == environment.cache_key()
    assert last.status == transfer_pb2.TRANSFER_STATUS_CANCELLED


def test_a_wrong_environment_is_refused_in_the_same_words(
    daemon: Daemon, call: Call, local_dir: Path
) -> None:
    wrong = Environment("", compute_capability="9.0", extra={"cpu": "x", "Py": "3", "é": ""})
    with pytest.raises(CacheServiceError) as here:
        wrong.key()
    with pytest.raises(CacheServiceError) as there:
        call(daemon.address, "load", wrong, local_dir=local_dir)
    assert vars(there.value) == vars(here.value)


def test_a_path_elsewhere_is_not_allowed(
    daemon: Daemon, call: Call, environment: Environment, tmp_path: Path
) -> None:
    with pytest.raises(CacheServiceError) as caught:
        call(daemon.address, "load", environment, local_dir=tmp_path)
    assert failure_of(caught) == ("PERMISSION_DENIED", "PATH_NOT_ALLOWED")


def test_an_operation_that_is_not_known(daemon: Daemon, call: Call) -> None:
    with pytest.raises(CacheServiceError) as caught:
        call(daemon.address, "get_transfer", _unknown_operation)
    assert failure_of(caught) == ("NOT_FOUND", "TRANSFER_NOT_FOUND")
    with daemon.client() as client, pytest.raises(CacheServiceError) as caught:
        next(client.watch(_unknown_operation))
    assert failure_of(caught) == ("NOT_FOUND", "TRANSFER_NOT_FOUND")


def test_tokens_are_asked_for(environment: Environment) -> None:
    with temporary_directory() as directory:
        tokens = Path(directory, "tokens")
        tokens.write_text("read reader\nwrite writer\n")
        tokens.chmod(0o600)
        with Daemon(Path(directory), "--tokens-file", str(tokens)) as daemon:

            def info(token: str | None) -> None:
                with daemon.client(token) as client:
                    client.get_cache_info(environment, local_dir=daemon.local)

            def save(token: str) -> None:
                with daemon.client(token) as client:
                    client.save(environment, local_dir=daemon.local)

            for token in (None, "stranger"):
                with pytest.raises(CacheServiceError) as caught:
                    info(token)
                assert failure_of(caught) == ("UNAUTHENTICATED", "UNAUTHENTICATED")
            info("reader")
            with pytest.raises(CacheServiceError) as caught:
                save("reader")
            assert failure_of(caught) == ("PERMISSION_DENIED", "FORBIDDEN")
            save("writer")


def test_a_killed_daemon_ends_calls_and_watches_at_once(environment: Environment) -> None:
    with temporary_directory() as directory, Daemon(Path(directory)) as daemon:
        write_unfinished(daemon.local)
        with daemon.client() as client:
            started = client.save(environment, local_dir=daemon.local, detach=True)
            watch = client.watch(started.transfer.operation_id)
            next(watch)
            daemon.process.kill()
            with pytest.raises(CacheServiceError) as caught:
                list(watch)
            assert failure_of(caught) == ("UNAVAILABLE", None)
            with pytest.raises(CacheServiceError) as caught:
                client.get_transfer(started.transfer.operation_id)
            assert failure_of(caught) == ("UNAVAILABLE", None)


def test_a_client_finds_a_daemon_that_starts_again(environment: Environment) -> None:
    with temporary_directory() as directory, CacheClient(f"unix:{directory}/daemon.sock") as client:
        with pytest.raises(CacheServiceError) as caught:
            client.list_transfers()
        assert failure_of(caught) == ("UNAVAILABLE", None)
        with Daemon(Path(directory)):
            wait_until(lambda: _answers(client), "an answer of the daemon")


def _answers(client: CacheClient) -> bool:
    try:
        client.list_transfers()
    except CacheServiceError:
        return False
    return True
