"""What a model is told where a load or a save cannot be made."""

from __future__ import annotations

import re
import shutil
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

import compilecache
from compilecache import Environment, LoadStatus, SaveStatus
from compilecache._daemon import address as daemon_address
from compilecache.v1 import cache_service_pb2 as pb
from conftest import Hangs
from logs import log_of
from patience import LONG_ENOUGH_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Serve
    from model import Model


pytestmark = pytest.mark.daemon


@pytest.mark.usefixtures("model")
def test_what_does_not_answer_is_an_error_and_one_line(caplog: pytest.LogCaptureFixture) -> None:
    no_daemon = "unix:/nowhere/daemon.sock"
    assert compilecache.load_compile_cache(address=no_daemon) == LoadStatus.ERROR
    assert "no daemon answers at unix:/nowhere/daemon.sock" in log_of(caplog)
    assert f"compilecache serve --listen {no_daemon}` starts one" in log_of(caplog)
    assert len(caplog.records) == 1
    assert compilecache.save_compile_cache(address=no_daemon) == SaveStatus.ERROR
    assert len(caplog.records) == 2


@pytest.mark.usefixtures("model")
def test_without_a_daemon_to_start_it_is_an_error_and_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(daemon_address, "SYSTEM_SOCKET", str(tmp_path / "none.sock"))
    monkeypatch.setenv("COMPILE_CACHE_ADDRESS", "")
    monkeypatch.setenv("COMPILE_CACHE_NODE", "/nowhere/node")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert compilecache.load_compile_cache() == LoadStatus.ERROR
    assert len(caplog.records) == 1
    assert re.search(r"nothing loaded into .* s\): UNAVAILABLE", log_of(caplog))


def test_without_grpc_a_socket_serves_and_a_port_is_an_error_that_says_so(
    model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    (model.packages / "grpc.py").write_text("raise ImportError('no grpc in this image')")
    assert compilecache.load_compile_cache() == LoadStatus.DOES_NOT_EXIST
    assert compilecache.load_compile_cache(address="127.0.0.1:1") == LoadStatus.ERROR
    assert "no grpc in this image" in log_of(caplog)


def test_what_is_refused_is_an_error(model: Model, caplog: pytest.LogCaptureFixture) -> None:
    model.compile(1)
    assert compilecache.load_compile_cache(namespace="../x") == LoadStatus.ERROR
    assert compilecache.save_compile_cache(local_dir="/etc") == SaveStatus.ERROR
    wrong: Any = "sometimes"
    assert compilecache.load_compile_cache(if_local_exists=wrong) == LoadStatus.ERROR
    assert compilecache.load_compile_cache(environment=Environment("")) == LoadStatus.ERROR
    for said in ("namespace", "PATH_NOT_ALLOWED", "sometimes", "torch_version"):
        assert said in log_of(caplog)


def test_without_torch_there_is_no_cache(model: Model, caplog: pytest.LogCaptureFixture) -> None:
    shutil.rmtree(model.packages)
    assert compilecache.load_compile_cache() == LoadStatus.ERROR
    assert compilecache.save_compile_cache() == SaveStatus.ERROR
    assert "torch is not installed" in log_of(caplog)
    info = compilecache.get_cache_info()
    assert "torch is not installed" in info["error"]
    assert not info["b10fs_enabled"]


@pytest.mark.usefixtures("model")
def test_a_load_that_is_late_counts_as_a_miss(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hanging = Hangs(pb.LoadResponse())
    address = serve(Load=hanging)
    monkeypatch.setenv("COMPILE_CACHE_LOAD_DEADLINE_SECONDS", "4")
    assert compilecache.load_compile_cache(address=address) == LoadStatus.DOES_NOT_EXIST
    assert hanging.left.wait(LONG_ENOUGH_SECONDS)
    assert re.search(r"did not arrive within \d+\.\d s", log_of(caplog))


@pytest.mark.usefixtures("model")
def test_a_save_that_is_late_is_an_error(serve: Serve) -> None:
    hanging = Hangs(pb.SaveResponse())
    address = serve(Save=hanging)
    assert compilecache.save_compile_cache(address=address, deadline_seconds=4) == SaveStatus.ERROR
    assert hanging.left.wait(LONG_ENOUGH_SECONDS)


def test_a_stopped_daemon_does_not_hold_a_model(model: Model) -> None:
    model.daemon.process.send_signal(signal.SIGSTOP)
    try:
        # It returns while the daemon is stopped, which is what this is about.
        assert compilecache.load_compile_cache(deadline_seconds=1) == LoadStatus.DOES_NOT_EXIST
    finally:
        model.daemon.process.send_signal(signal.SIGCONT)


@pytest.mark.usefixtures("model")
def test_work_that_hangs_here_does_not_hold_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a driver that does not answer."""
    hangs = threading.Event()
    threads: list[threading.Thread] = []
    started: list[str] = []

    def hang(device: int | None) -> Environment:
        threads.append(threading.current_thread())
        hangs.wait()
        return Environment("2.11.0")

    monkeypatch.delenv("COMPILE_CACHE_ADDRESS")
    monkeypatch.setattr("compilecache._calls.request.detect_environment", hang)
    monkeypatch.setattr("compilecache._calls.request.ensure_daemon", started.append)
    # Both return while that hangs, which is what this is about.
    assert compilecache.load_compile_cache(deadline_seconds=0.3) == LoadStatus.DOES_NOT_EXIST
    assert compilecache.save_compile_cache(deadline_seconds=0.3) == SaveStatus.ERROR
    hangs.set()
    for thread in threads:
        thread.join(LONG_ENOUGH_SECONDS)
    # No daemon was started for a call whose time is up.
    assert started == []


@pytest.mark.usefixtures("model")
def test_a_deadline_that_is_none_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("COMPILE_CACHE_LOAD_DEADLINE_SECONDS", "soon")
    assert compilecache.load_compile_cache() == LoadStatus.DOES_NOT_EXIST
    assert "COMPILE_CACHE_LOAD_DEADLINE_SECONDS=soon" in log_of(caplog)
