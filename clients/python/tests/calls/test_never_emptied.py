"""A clear that no daemon answers empties no more than a daemon would."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import compilecache
from compilecache._calls.never_emptied import require_may_empty
from compilecache.exceptions import CacheValidationError

vectors = json.loads(
    (Path(__file__).parents[4] / "test/vectors/never-emptied.json").read_text(encoding="utf-8")
)


@pytest.fixture(name="home")
def make_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "people" / "jo"
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    return home


def make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x", encoding="utf-8")


@pytest.mark.parametrize("path", [path for path in vectors["paths"] if os.path.isdir(path)])
def test_a_directory_of_the_system_is_not_emptied(path: str) -> None:
    with pytest.raises(CacheValidationError, match=r"is never emptied: it .* Name the directory"):
        require_may_empty(Path(path))


@pytest.mark.parametrize("below", vectors["in_home"])
def test_a_home_is_not_emptied(home: Path, below: str) -> None:
    (home / below).mkdir(parents=True, exist_ok=True)
    (home / ".local" / "share").mkdir(parents=True, exist_ok=True)
    with pytest.raises(CacheValidationError, match=r"is, or holds, .*people/jo"):
        require_may_empty(home / below)


@pytest.mark.parametrize("file", vectors["holding"])
def test_what_no_cache_holds_is_not_removed(tmp_path: Path, file: str) -> None:
    make(tmp_path / "dir" / file)
    with pytest.raises(
        CacheValidationError,
        match=r"holds (a repository|a Python environment|whole caches|stored caches) \(",
    ):
        require_may_empty(tmp_path / "dir")


@pytest.mark.parametrize("file", vectors["emptied"])
def test_a_cache_may_be_emptied(home: Path, file: str) -> None:
    make(home / file)
    first = Path(file).parts[0]
    deep = first.startswith(".")
    require_may_empty(home / Path(file).parent if deep else home / first)


def test_a_clear_without_a_daemon_spares_a_home(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make(home / "thesis.txt")
    nowhere = "unix:/nowhere/daemon.sock"
    assert not compilecache.clear_local_cache(local_dir=home, address=nowhere)
    assert (home / "thesis.txt").exists()
    assert "is never emptied" in caplog.text
