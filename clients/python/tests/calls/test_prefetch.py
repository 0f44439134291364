"""A load that is hidden behind an import, and forks around it, with the real daemon."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

import compilecache
from compilecache import Environment, LoadStatus
from compilecache.v1 import cache_service_pb2 as pb
from conftest import Hangs
from directories import facts_of
from patience import LONG_ENOUGH_SECONDS, wait_until

if TYPE_CHECKING:
    from conftest import Serve
    from model import Model

pytestmark = pytest.mark.daemon


def _save(model: Model) -> int:
    model.compile()
    compilecache.save_compile_cache()
    compilecache.clear_local_cache()
    return 40


def test_the_load_is_the_one_that_was_started_ahead(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = _save(model)
    compilecache.prefetch()
    assert facts_of(model.local) == {}
    wait_until(lambda: len(facts_of(model.local)) == count, "the files of the load")
    # Another one could not start its process.
    monkeypatch.setattr("compilecache._calls.running_call.DaemonCall", None)
    assert compilecache.load_compile_cache() == LoadStatus.SUCCESS


def test_a_load_that_is_under_way_is_waited_for(model: Model) -> None:
    _save(model)
    compilecache.prefetch()
    assert compilecache.load_compile_cache() == LoadStatus.SUCCESS
    # It serves once.
    assert compilecache.load_compile_cache() == LoadStatus.SKIPPED


def test_another_load_is_made_anew(model: Model) -> None:
    _save(model)
    compilecache.prefetch(namespace=f"{model.namespace}-other")
    assert compilecache.load_compile_cache() == LoadStatus.SUCCESS
    compilecache.clear_local_cache()
    compilecache.prefetch(environment=Environment("2.0.0"))
    assert compilecache.load_compile_cache() == LoadStatus.SUCCESS
    compilecache.prefetch(if_local_exists="merge")
    assert compilecache.load_compile_cache() == LoadStatus.SKIPPED


def test_what_the_environment_says_later_is_another_load(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    _save(model)
    monkeypatch.setenv("COMPILE_CACHE_NAMESPACE", f"{model.namespace}-other")
    compilecache.prefetch()
    monkeypatch.setenv("COMPILE_CACHE_NAMESPACE", model.namespace)
    assert compilecache.load_compile_cache() == LoadStatus.SUCCESS
    compilecache.clear_local_cache()
    monkeypatch.setenv("COMPILE_CACHE_ADDRESS", "unix:/nowhere/daemon.sock")
    compilecache.prefetch()
    monkeypatch.setenv("COMPILE_CACHE_ADDRESS", model.daemon.address)
    assert compilecache.load_compile_cache() == LoadStatus.SUCCESS


def test_another_gpu_than_the_first_is_another_load(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = Environment("2.11.0", "13.0", "9.0")

    def detect(device: int | None) -> Environment:
        return second if device == 1 else Environment("2.11.0", "13.0", "7.5")

    monkeypatch.setattr("compilecache._calls.request.detect_environment", detect)
    model.compile()
    compilecache.save_compile_cache(environment=second)
    compilecache.clear_local_cache()
    compilecache.prefetch()
    # As torch is in use by now.
    monkeypatch.setattr("compilecache._calls.request.current_device", lambda: 1)
    assert compilecache.load_compile_cache() == LoadStatus.SUCCESS


@pytest.mark.usefixtures("model")
def test_a_failure_is_told_by_the_load(caplog: pytest.LogCaptureFixture) -> None:
    compilecache.prefetch(address="unix:/nowhere/daemon.sock")
    assert caplog.records == []
    status = compilecache.load_compile_cache(address="unix:/nowhere/daemon.sock")
    assert status == LoadStatus.ERROR
    assert "no daemon answers" in caplog.text


@pytest.mark.usefixtures("model")
def test_a_load_may_wait_less_long(serve: Serve) -> None:
    hanging = Hangs(pb.LoadResponse())
    address = serve(Load=hanging)
    compilecache.prefetch(address=address)
    assert hanging.called.wait(LONG_ENOUGH_SECONDS)
    status = compilecache.load_compile_cache(address=address, deadline_seconds=0.2)
    assert status == LoadStatus.DOES_NOT_EXIST
    # The daemon does not go on filling the directory while torch compiles.
    assert hanging.left.wait(LONG_ENOUGH_SECONDS)


_forking = """
    import multiprocessing, os, sys, threading, time, warnings
    import compilecache

    # Newer Pythons warn of what this is about.
    warnings.simplefilter("ignore", DeprecationWarning)

    def load(expected):
        # What the parent has under way is the parent's.
        assert compilecache.list_active_transfers() == {}
        status = compilecache.load_compile_cache(deadline_seconds=60)
        assert status.name in expected, status
        assert compilecache.get_cache_info()["b10fs_cache_exists"]
        operation_id = compilecache.load_compile_cache_async()
        assert compilecache.wait_for_completion(operation_id, 60)

    def in_child_by_fork(expected):
        child = os.fork()
        if child == 0:
            try:
                load(expected)
                # As a script that forks would.
                sys.exit(0)
            except AssertionError as error:
                print(error, file=sys.stderr, flush=True)
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0

    def in_child_by_multiprocessing(expected):
        child = multiprocessing.get_context("fork").Process(target=load, args=[expected])
        child.start()
        child.join()
        assert child.exitcode == 0
"""


@pytest.mark.parametrize(
    ("child", "pause_seconds"),
    [
        ("in_child_by_fork", 0),
        ("in_child_by_fork", 0.2),
        ("in_child_by_multiprocessing", 0.05),
    ],
)
def test_a_fork_while_a_load_runs(model: Model, child: str, pause_seconds: float) -> None:
    """The child makes a load of its own, and the parent's goes on; both may have filled it."""
    _save(model)
    script = f"""
{_forking}
    compilecache.prefetch()
    time.sleep({pause_seconds})
    {child}({{"SUCCESS", "SKIPPED"}})
    status = compilecache.load_compile_cache()
    assert status.name in ("SUCCESS", "SKIPPED"), status
    print("done")
    """
    assert model.run(script) == "done\n"
    assert len(facts_of(model.local)) == 40


@pytest.mark.parametrize("child", ["in_child_by_fork", "in_child_by_multiprocessing"])
def test_a_fork_after_a_load(model: Model, child: str) -> None:
    _save(model)
    script = f"""
{_forking}
    assert compilecache.load_compile_cache() == compilecache.LoadStatus.SUCCESS
    operation_id = compilecache.load_compile_cache_async()
    # Under way while the child looks; the daemon's may have ended by then.
    child_has_ended = threading.Event()
    wait = lambda source, dest: child_has_ended.wait()
    compilecache.start_transfer_async("a", "b", wait, "mine")
    {child}({{"SKIPPED"}})
    child_has_ended.set()
    assert compilecache.wait_for_completion(operation_id, 60)
    print(compilecache.load_compile_cache().name)
    """
    assert model.run(script) == "SKIPPED\n"


def test_no_fork_falls_into_the_start_of_a_process(model: Model) -> None:
    """Its child would hold what has to be closed for the start to be over, as one in 20 did."""
    script = """
        import os, threading, time, warnings
        from compilecache._base.forks import no_fork

        warnings.simplefilter("ignore", DeprecationWarning)
        entered, left = threading.Event(), threading.Event()

        def start():
            with no_fork():
                entered.set()
                time.sleep(0.5)
                left.set()

        threading.Thread(target=start).start()
        entered.wait()
        child = os.fork()
        if child == 0:
            with no_fork():
                os._exit(0)
        print(left.is_set(), os.waitpid(child, 0)[1])
        with no_fork():
            pass
    """
    assert model.run(script) == "True 0\n"


def test_a_start_may_fork(model: Model) -> None:
    """As it does where gevent has replaced what starts processes."""
    script = """
        import os, signal
        from compilecache._base.forks import no_fork

        signal.alarm(60)
        with no_fork():
            child = os.fork()
            if child == 0:
                os._exit(0)
        with no_fork():
            print(os.waitpid(child, 0)[1])
    """
    assert model.run(script) == "0\n"


def test_a_load_ends_with_its_process(model: Model, serve: Serve) -> None:
    hanging = Hangs(pb.LoadResponse())
    script = """
        import os, sys, time
        import compilecache

        compilecache.prefetch()
        sys.stdin.readline()
        # A child that lives longer must not hold the load.
        child = os.fork()
        if child == 0:
            os.closerange(0, 3)
            time.sleep(600)
        print(child, flush=True)
        os.kill(os.getpid(), 9)
    """
    with model.start(script, COMPILE_CACHE_ADDRESS=serve(Load=hanging)) as process:
        assert hanging.called.wait(LONG_ENOUGH_SECONDS)
        child, _ = process.communicate("go on\n")
    try:
        assert hanging.left.wait(LONG_ENOUGH_SECONDS)
    finally:
        os.kill(int(child), signal.SIGKILL)
