"""What a load was worth."""

from __future__ import annotations

import sys
import time
import types
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import pytest

import compilecache
from compilecache import CacheHits, Environment, LoadStatus
from directories import fill
from model import prefetch_has_ended
from patience import LONG_ENOUGH_SECONDS, wait_until

if TYPE_CHECKING:
    from model import Model

pytestmark = pytest.mark.daemon


def test_a_load_and_what_was_compiled_since(model: Model, caplog: pytest.LogCaptureFixture) -> None:
    model.compile()
    compilecache.save_compile_cache()
    size = sum(path.stat().st_size for path in model.local.rglob("*") if path.is_file())
    compilecache.clear_local_cache()
    compilecache.load_compile_cache()
    report = compilecache.report()
    assert (report.status, report.loaded_files, report.loaded_bytes) == (
        LoadStatus.SUCCESS,
        40,
        size,
    )
    assert (report.new_files, report.new_bytes) == (0, 0)
    assert 0 < report.load_seconds <= report.waited_seconds
    assert "torch" not in sys.modules
    assert (report.fx_graph, report.aot_autograd) == (None, None)

    time.sleep(0.05)
    (model.local / "fxgraph").mkdir()
    (model.local / "fxgraph" / "new.so").write_bytes(b"1234567")
    # What no save takes.
    (model.local / "fxgraph" / "new.lock").touch()
    (model.local / "locks").mkdir()
    (model.local / "locks" / "new").touch()
    (model.local / "link").symlink_to("/etc/passwd")
    assert (compilecache.report().new_files, compilecache.report().new_bytes) == (1, 7)
    caplog.set_level("INFO")
    caplog.clear()
    compilecache.report()
    assert "loaded 40 files" in caplog.text
    assert "since then 1 new file, 7 bytes" in caplog.text


def test_new_files_count_from_the_end_of_a_load_that_was_started_ahead(model: Model) -> None:
    model.compile()
    compilecache.save_compile_cache()
    compilecache.clear_local_cache()
    compilecache.prefetch()
    wait_until(prefetch_has_ended, "the load that was started ahead")
    time.sleep(0.05)
    (model.local / "compiled-meanwhile.py").touch()
    compilecache.load_compile_cache()
    report = compilecache.report()
    # Not from where it was waited for.
    assert report.new_files == 1


def test_a_miss_says_what_differs(model: Model) -> None:
    model.compile(3)
    compilecache.save_compile_cache(environment=Environment("2.10.0"))
    compilecache.clear_local_cache()
    compilecache.load_compile_cache(environment=Environment("2.12.0"))
    time.sleep(0.05)
    fill(model.local, 3)
    report = compilecache.report()
    assert (report.status, report.loaded_files) == (LoadStatus.DOES_NOT_EXIST, 0)
    assert "differs in torch (2.12.0 here, 2.10.0 there)" in report.reason
    assert report.reason in str(report)
    assert report.new_files == 3


def test_a_load_in_the_background_is_reported(model: Model) -> None:
    model.compile(3)
    compilecache.save_compile_cache()
    compilecache.clear_local_cache()
    assert compilecache.report().status is None
    operation_id = compilecache.load_compile_cache_async()
    assert compilecache.wait_for_completion(operation_id, LONG_ENOUGH_SECONDS)
    report = compilecache.report()
    assert (report.status, report.loaded_files) == (LoadStatus.SUCCESS, 3)
    assert report.waited_seconds == 0


@pytest.mark.usefixtures("model")
def test_torch_s_counters_are_read_where_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    counters: defaultdict[str, Counter[str]] = defaultdict(Counter)
    module = types.ModuleType("torch._dynamo.utils")
    monkeypatch.setattr(module, "counters", counters, raising=False)
    monkeypatch.setitem(sys.modules, "torch._dynamo.utils", module)
    assert compilecache.report().fx_graph is None
    counters["inductor"].update(fxgraph_cache_hit=3, fxgraph_cache_miss=1)
    counters["aot_autograd"].update(autograd_cache_hit=2, autograd_cache_bypass=1)
    report = compilecache.report()
    assert report.fx_graph == CacheHits(hits=3, misses=1, bypasses=0)
    assert report.aot_autograd == CacheHits(hits=2, misses=0, bypasses=1)
    assert "FX graphs: 3 hits, 1 miss, 0 bypasses" in str(report)
    assert set(counters) == {"inductor", "aot_autograd"}


def test_a_report_where_no_directory_can_be_is_one(
    model: Model, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As in a container whose file systems are all read-only."""
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr("tempfile._candidate_tempdir_list", list)
    assert compilecache.report().new_files == 0
    assert compilecache.load_compile_cache() == LoadStatus.ERROR
    assert "No usable temporary directory" in caplog.text
    assert model.stored() == []
