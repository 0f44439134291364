"""Load, save, clear and look, as a model does, with the real daemon."""

from __future__ import annotations

import ast
import logging
import os
import pprint
import re
import shutil
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import compilecache
from compilecache import Environment, LoadStatus, SaveStatus
from compilecache._daemon import address as daemon_address
from compilecache.v1 import cache_service_pb2 as pb
from conftest import Hangs
from directories import facts_of
from patience import LONG_ENOUGH_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Serve
    from model import Model

pytestmark = pytest.mark.daemon


def _log_of(caplog: pytest.LogCaptureFixture, level: int = logging.WARNING) -> str:
    return "\n".join(record.getMessage() for record in caplog.records if record.levelno >= level)


def test_what_one_model_saves_the_next_loads(model: Model) -> None:
    assert compilecache.load_compile_cache() == LoadStatus.DOES_NOT_EXIST
    model.compile()
    before = facts_of(model.local)
    assert compilecache.save_compile_cache() == SaveStatus.SUCCESS
    assert compilecache.save_compile_cache() == SaveStatus.SKIPPED
    assert compilecache.load_compile_cache() == LoadStatus.SKIPPED

    assert compilecache.clear_local_cache()
    assert facts_of(model.local) == {}
    assert compilecache.load_compile_cache() == LoadStatus.SUCCESS
    assert facts_of(model.local) == before


def test_what_a_warm_start_adds_is_saved_too(model: Model) -> None:
    model.compile()
    compilecache.save_compile_cache()
    compilecache.clear_local_cache()
    assert compilecache.load_compile_cache() == LoadStatus.SUCCESS
    assert compilecache.save_compile_cache() == SaveStatus.SKIPPED
    # Just now, as warm-up leaves it: the save waits until it is surely finished.
    for number in range(3):
        (model.local / f"kernel-{number}").write_text("made by the warm start")
    assert compilecache.save_compile_cache() == SaveStatus.SUCCESS
    assert compilecache.save_compile_cache() == SaveStatus.SKIPPED
    second = facts_of(model.local)
    compilecache.clear_local_cache()
    assert compilecache.load_compile_cache() == LoadStatus.SUCCESS
    assert facts_of(model.local) == second


def test_files_that_name_their_directory_move_along(
    model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    listing = "torch_compile_cache/0a1b/rank_0_0/backbone/vllm_compile_cache.py"
    elsewhere = model.daemon.local / f"{model.namespace}-elsewhere"

    def write_listing() -> object:
        # As vLLM's CompilerManager does.
        graph = "artifact_compile_range_1_8192_subgraph_0"
        place = model.local / listing
        place.parent.mkdir(parents=True)
        handle = (graph, str(place.parent / graph))
        key = ((1, 8192), 0, "inductor_standalone")
        cache = {key: {"graph_handle": handle, "cache_key": "a"}}
        place.write_text(pprint.PrettyPrinter(indent=4).pformat(cache))
        moved: object = ast.literal_eval(
            place.read_text().replace(str(model.local), str(elsewhere))
        )
        return moved

    wanted = write_listing()
    assert compilecache.save_compile_cache() == SaveStatus.SUCCESS
    assert compilecache.load_compile_cache(local_dir=elsewhere) == LoadStatus.SUCCESS
    assert ast.literal_eval((elsewhere / listing).read_text()) == wanted

    shutil.rmtree(elsewhere)
    (model.local / "state.bin").write_bytes(b"\0" + os.fsencode(model.local) + b"/kernel\0")
    assert compilecache.save_compile_cache() == SaveStatus.SUCCESS
    stored = model.stored()
    assert compilecache.load_compile_cache(local_dir=elsewhere) == LoadStatus.ERROR
    for word in ("state.bin", str(model.local), str(elsewhere)):
        assert word in _log_of(caplog)
    assert model.stored() == stored
    assert facts_of(elsewhere) == {}
    shutil.rmtree(model.local)
    assert compilecache.load_compile_cache() == LoadStatus.SUCCESS


def test_a_half_filled_directory_is_told_of(model: Model, caplog: pytest.LogCaptureFixture) -> None:
    model.compile(5)
    compilecache.save_compile_cache()
    assert compilecache.load_compile_cache() == LoadStatus.SKIPPED
    assert _log_of(caplog) == ""
    # As a start leaves it that crashed.
    compilecache.clear_local_cache()
    (model.local / "half").touch()
    assert compilecache.load_compile_cache() == LoadStatus.SKIPPED
    assert f"{model.local} holds files already (1), fewer than the stored cache (5)" in _log_of(
        caplog
    )
    caplog.clear()
    assert compilecache.wait_for_completion(compilecache.load_compile_cache_async())
    assert "fewer than the stored cache (5)" in _log_of(caplog)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("TRITON_CACHE_DIR", "/elsewhere/triton", "'/elsewhere/triton', which is not in"),
        ("TRITON_CACHE_DIR", "", "''"),
        ("TRITON_CACHE_MANAGER", "redis:Manager", "kept by redis:Manager"),
        ("TORCHINDUCTOR_FX_GRAPH_CACHE", "0", "TORCHINDUCTOR_FX_GRAPH_CACHE=0"),
        ("TORCHINDUCTOR_FORCE_DISABLE_CACHES", "1", "switches its caches off"),
    ],
)
def test_what_torch_keeps_elsewhere_is_told_of_once(
    model: Model,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    variable: str,
    value: str,
    words: str,
) -> None:
    monkeypatch.setenv(variable, value)
    model.compile(1)
    assert compilecache.save_compile_cache() == SaveStatus.SUCCESS
    assert compilecache.load_compile_cache() == LoadStatus.SKIPPED
    assert [words in message for message in _log_of(caplog).splitlines()] == [True]


def test_where_torch_has_triton_keep_its_kernels_is_as_it_should_be(
    model: Model, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(model.local)
    model.compile(1)
    compilecache.save_compile_cache()
    for inside in (model.local / "triton" / "0", tmp_path / "link", model.local):
        monkeypatch.setenv("TRITON_CACHE_DIR", str(inside))
        compilecache.load_compile_cache()
    assert _log_of(caplog) == ""


def test_policies_reach_the_daemon(model: Model) -> None:
    model.compile(5)
    compilecache.save_compile_cache()
    (model.local / "more").write_text("kernel")
    # A save waits for a file of just now.
    os.utime(model.local / "more", (time.time() - 60, time.time() - 60))
    assert compilecache.save_compile_cache(if_stored_exists="replace") == SaveStatus.SUCCESS
    (model.local / "more").unlink()
    assert compilecache.load_compile_cache(if_local_exists="merge") == LoadStatus.SUCCESS
    assert (model.local / "more").exists()
    (model.local / "another").write_text("kernel")
    assert compilecache.load_compile_cache(if_local_exists="replace") == LoadStatus.SUCCESS
    assert not (model.local / "another").exists()


def test_arguments_name_another_cache(model: Model) -> None:
    model.compile(5)
    other = model.daemon.local / f"{model.namespace}-other"
    environment = Environment("2.9.0", "12.8", "9.0")
    named: dict[str, Any] = {"namespace": f"{model.namespace}-other", "environment": environment}
    assert compilecache.save_compile_cache(**named) == SaveStatus.SUCCESS
    assert model.stored() == []
    assert compilecache.load_compile_cache(local_dir=other, **named) == LoadStatus.SUCCESS
    assert len(facts_of(other)) == 5


def test_a_miss_names_the_closest_cache_and_what_differs(
    model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    model.compile(3)
    compilecache.save_compile_cache()
    shutil.rmtree(model.local)
    model.set_torch_version("2.12.0")
    assert compilecache.load_compile_cache() == LoadStatus.DOES_NOT_EXIST
    assert model.stored()[0] in _log_of(caplog)
    assert "differs in torch (2.12.0 here, 2.11.0 there)" in _log_of(caplog)


def test_a_first_start_is_no_reason_to_warn(model: Model, caplog: pytest.LogCaptureFixture) -> None:
    compilecache.load_compile_cache()
    assert _log_of(caplog) == ""


@pytest.mark.usefixtures("model")
def test_what_does_not_answer_is_an_error_and_one_line(caplog: pytest.LogCaptureFixture) -> None:
    no_daemon = "unix:/nowhere/daemon.sock"
    assert compilecache.load_compile_cache(address=no_daemon) == LoadStatus.ERROR
    assert "no daemon answers at unix:/nowhere/daemon.sock" in _log_of(caplog)
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
    assert "nothing loaded: UNAVAILABLE" in _log_of(caplog)


def test_without_grpc_it_is_an_error_that_says_so(
    model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    (model.packages / "grpc.py").write_text("raise ImportError('no grpc in this image')")
    assert compilecache.load_compile_cache() == LoadStatus.ERROR
    assert "no grpc in this image" in _log_of(caplog)


def test_what_is_refused_is_an_error(model: Model, caplog: pytest.LogCaptureFixture) -> None:
    model.compile(1)
    assert compilecache.load_compile_cache(namespace="../x") == LoadStatus.ERROR
    assert compilecache.save_compile_cache(local_dir="/etc") == SaveStatus.ERROR
    wrong: Any = "sometimes"
    assert compilecache.load_compile_cache(if_local_exists=wrong) == LoadStatus.ERROR
    assert compilecache.load_compile_cache(environment=Environment("")) == LoadStatus.ERROR
    for said in ("namespace", "PATH_NOT_ALLOWED", "sometimes", "torch_version"):
        assert said in _log_of(caplog)


def test_without_torch_there_is_no_cache(model: Model, caplog: pytest.LogCaptureFixture) -> None:
    shutil.rmtree(model.packages)
    assert compilecache.load_compile_cache() == LoadStatus.ERROR
    assert compilecache.save_compile_cache() == SaveStatus.ERROR
    assert "torch is not installed" in _log_of(caplog)
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
    assert re.search(r"did not arrive within \d+\.\d s", _log_of(caplog))


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
    assert "COMPILE_CACHE_LOAD_DEADLINE_SECONDS=soon" in _log_of(caplog)


def test_clearing_needs_no_daemon(model: Model) -> None:
    model.compile(3)
    (model.local / "link").symlink_to(model.daemon.store)
    (model.local / "lost+found").mkdir()
    assert compilecache.clear_local_cache(address="unix:/nowhere/daemon.sock")
    # They are nobody's cache.
    assert {path.name for path in model.local.iterdir()} == {"link", "lost+found"}
    assert model.daemon.store.exists()
    shutil.rmtree(model.local)
    assert compilecache.clear_local_cache(address="unix:/nowhere/daemon.sock")


@pytest.mark.usefixtures("model")
def test_what_may_not_be_cleared_is_not() -> None:
    assert not compilecache.clear_local_cache(local_dir="/etc")


def test_the_information_says_what_is_where(model: Model) -> None:
    key = compilecache.get_cache_info()["environment_key"]
    assert key.startswith("torch-2.11.0_cpu_triton-none_arch-")
    assert compilecache.get_cache_info() == {
        "environment_key": key,
        "cache_key": compilecache.get_cache_info()["cache_key"],
        "local_cache_exists": False,
        "local_file_count": 0,
        "b10fs_enabled": True,
        "b10fs_cache_exists": False,
        "store": model.daemon.store.as_uri(),
    }
    model.compile(4)
    compilecache.save_compile_cache()
    info = compilecache.get_cache_info()
    assert (info["local_cache_exists"], info["b10fs_cache_exists"]) == (True, True)
    assert info["local_file_count"] == 4
    size = sum(path.stat().st_size for path in model.local.rglob("*") if path.is_file())
    assert info["local_cache_size_mb"] == size / 1024 / 1024
    assert 0 < info["b10fs_cache_size_mb"] < info["local_cache_size_mb"] * 1.1


def test_information_without_a_daemon_says_what_is_here(model: Model) -> None:
    model.compile(4)
    info = compilecache.get_cache_info(address="unix:/nowhere/daemon.sock")
    assert (info["local_cache_exists"], info["b10fs_enabled"]) == (True, False)
    assert info["environment_key"].startswith("torch-2.11.0")
    assert "no daemon answers" in info["error"]


def test_the_list_has_the_newest_first(model: Model) -> None:
    assert compilecache.list_available_caches()["caches"] == []
    model.compile(2)
    compilecache.save_compile_cache()
    model.set_torch_version("2.12.0")
    compilecache.save_compile_cache()
    listing = compilecache.list_available_caches()
    assert listing["total_caches"] == 2
    assert (listing["current_cache_exists"], listing["b10fs_enabled"]) == (True, True)
    newest, oldest = listing["caches"]
    assert newest["environment_key"] == listing["current_environment"]
    assert (newest["is_current_environment"], oldest["is_current_environment"]) == (True, False)
    assert newest["created_time"] >= oldest["created_time"] > time.time() - 60
    assert sorted([newest["filename"], oldest["filename"]]) == model.stored()
    assert (newest["file_count"], newest["namespace"]) == (2, model.namespace)
    everybody = compilecache.list_available_caches(namespace="")
    assert everybody["total_caches"] >= 2


@pytest.mark.usefixtures("model")
def test_a_list_without_a_daemon_is_empty_and_says_why() -> None:
    listing = compilecache.list_available_caches(address="unix:/nowhere/daemon.sock")
    assert (listing["caches"], listing["b10fs_enabled"]) == ([], False)
    assert "no daemon answers" in listing["error"]
