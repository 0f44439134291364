"""Archives that b10-transfer left in the store's directory: the first start after it is warm."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import compilecache
from ancestor_packages import ancestor_wheel, saving_program
from compilecache import Environment, LoadStatus, SaveStatus
from directories import facts_of
from repository import root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from model import Model

pytestmark = pytest.mark.daemon

_gpu = Environment("2.8.0", "12.8", "9.0", "3.4.0", {"gpu": "NVIDIA H100 80GB HBM3", "py": "3.12"})
_page = (root / "docs" / "from-b10-transfer.md").read_text()
_name = "cache_3b20c534a035fa77.latest.tar.gz"


@pytest.fixture
def kept(model: Model, caplog: pytest.LogCaptureFixture) -> Iterator[Path]:
    """Where the ancestor keeps them; what is there is the test's alone."""
    caplog.set_level(logging.INFO)
    yield model.daemon.store
    for archive in model.daemon.store.glob("cache_*"):
        archive.unlink()


def _archive(model: Model, path: Path) -> None:
    subprocess.run(["tar", "-czf", str(path), "-C", str(model.local), "."], check=True)


def test_the_first_start_loads_it_and_the_next_save_makes_it_ours(
    model: Model, kept: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model.compile(3)
    compiled = facts_of(model.local)
    _archive(model, kept / _name)
    compilecache.clear_local_cache()
    assert compilecache.load_compile_cache(environment=_gpu) == LoadStatus.SUCCESS
    assert facts_of(model.local).keys() == compiled.keys()
    line = f"from b10-transfer's archive {_name} for namespace {model.namespace} into {model.local}"
    assert line in caplog.text
    assert f"from b10-transfer's archive {_name} for namespace my-model into " in _page
    assert compilecache.save_compile_cache(environment=_gpu) == SaveStatus.SUCCESS
    (stored,) = model.stored()
    assert stored.endswith(".latest.tar.zst")
    assert (kept / _name).exists()
    compilecache.clear_local_cache()
    caplog.clear()
    assert compilecache.load_compile_cache(environment=_gpu) == LoadStatus.SUCCESS
    assert f"of namespace {model.namespace} into {model.local}" in caplog.text


def test_a_miss_says_which_was_not_loaded_and_why(
    model: Model, kept: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (kept / _name).write_bytes(b"damaged")
    assert compilecache.load_compile_cache(environment=_gpu) == LoadStatus.DOES_NOT_EXIST
    assert f"b10-transfer's {_name}, in {kept}, was not loaded, and is left as it is" in caplog.text
    caplog.clear()
    other = Environment("2.8.0", "12.8", "8.0", extra={"gpu": "NVIDIA A100-SXM4-80GB"})
    assert compilecache.load_compile_cache(environment=other) == LoadStatus.DOES_NOT_EXIST
    assert f"1 archive of b10-transfer, for machines of another kind, in {kept}" in caplog.text


def test_what_the_ancestor_itself_saved_is_loaded(model: Model, kept: Path, tmp_path: Path) -> None:
    """By 0.4.1; a save of 0.0.2, as it is published, says SUCCESS and stores nothing."""
    wheel = ancestor_wheel("0.4.1")
    model.compile(40)
    compiled = facts_of(model.local)
    variables = {
        "BASETEN_FS_ENABLED": "1",
        "B10FS_CACHE_DIR": str(kept),
        "LOCAL_WORK_DIR": str(tmp_path),
        "TORCHINDUCTOR_CACHE_DIR": str(model.local),
        "MIN_LOCAL_SPACE_MB": "1",
        "MIN_B10FS_SPACE_MB": "1",
        "MAX_CONCURRENT_SAVES": "1",
        "PYTHONPATH": str(wheel),
    }
    saved = subprocess.run(
        [sys.executable, "-c", saving_program],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )
    assert saved.stdout.splitlines()[-1:] == ["SUCCESS"], saved.stderr
    compilecache.clear_local_cache()
    assert compilecache.load_compile_cache(environment=_gpu) == LoadStatus.SUCCESS
    assert facts_of(model.local).keys() == compiled.keys()
