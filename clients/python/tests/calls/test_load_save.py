"""Load, save, clear and look, as a model does, with the real daemon."""

from __future__ import annotations

import ast
import os
import pprint
import shutil
import time
from typing import TYPE_CHECKING, Any

import pytest

import compilecache
from compilecache import Environment, LoadStatus, SaveStatus
from directories import facts_of
from logs import log_of

if TYPE_CHECKING:
    from pathlib import Path

    from model import Model


pytestmark = pytest.mark.daemon


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
        assert word in log_of(caplog)
    assert model.stored() == stored
    assert facts_of(elsewhere) == {}
    shutil.rmtree(model.local)
    assert compilecache.load_compile_cache() == LoadStatus.SUCCESS


def test_a_half_filled_directory_is_told_of(model: Model, caplog: pytest.LogCaptureFixture) -> None:
    model.compile(5)
    compilecache.save_compile_cache()
    assert compilecache.load_compile_cache() == LoadStatus.SKIPPED
    assert log_of(caplog) == ""
    # As a start leaves it that crashed.
    compilecache.clear_local_cache()
    (model.local / "half").touch()
    assert compilecache.load_compile_cache() == LoadStatus.SKIPPED
    assert f"{model.local} holds files already (1), fewer than the stored cache (5)" in log_of(
        caplog
    )
    caplog.clear()
    assert compilecache.wait_for_completion(compilecache.load_compile_cache_async())
    assert "fewer than the stored cache (5)" in log_of(caplog)


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
    assert [words in message for message in log_of(caplog).splitlines()] == [True]


def test_where_torch_has_triton_keep_its_kernels_is_as_it_should_be(
    model: Model, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(model.local)
    model.compile(1)
    compilecache.save_compile_cache()
    for inside in (model.local / "triton" / "0", tmp_path / "link", model.local):
        monkeypatch.setenv("TRITON_CACHE_DIR", str(inside))
        compilecache.load_compile_cache()
    assert log_of(caplog) == ""


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
    assert model.stored()[0] in log_of(caplog)
    assert "differs in torch (2.12.0 here, 2.11.0 there)" in log_of(caplog)


def test_a_first_start_is_no_reason_to_warn(model: Model, caplog: pytest.LogCaptureFixture) -> None:
    compilecache.load_compile_cache()
    assert log_of(caplog) == ""
