from __future__ import annotations

import getpass
import math
import os
import tempfile
import threading
from typing import TYPE_CHECKING

import pytest

from compilecache import CacheServiceError, Environment
from compilecache._base.deadlines import load_deadline_seconds, save_deadline_seconds
from compilecache._base.local_directory import resolve_local_directory, torch_cache_directory
from compilecache._calls.request import cache_request

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Call


def test_torch_s_variable_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "cache")
    monkeypatch.chdir(tmp_path)
    assert torch_cache_directory() == str(tmp_path / "cache")


def test_torch_s_default_names_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", "/scratch")
    monkeypatch.setenv("LOGNAME", r"corp\jane:x")
    assert torch_cache_directory() == "/scratch/torchinductor_corp_jane_x"


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", "/scratch")
    monkeypatch.setattr(getpass, "getuser", nameless)
    assert torch_cache_directory() == f"/scratch/torchinductor_uid_{os.getuid()}"


def test_a_directory_becomes_absolute_and_links_stay(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to("elsewhere")
    monkeypatch.chdir(tmp_path)
    assert resolve_local_directory("link/../link/x") == str(tmp_path / "link" / "x")


def test_who_names_another_directory_than_torch_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "/of/torch")
    monkeypatch.setenv("TORCH_CACHE_DIR", "/ours")
    for _ in range(2):
        assert cache_request("n", Environment("2.1.0"), None, "unix:/a").local_dir == "/ours"
    assert len(caplog.records) == 1
    assert "TORCH_CACHE_DIR is /ours, but torch keeps its cache in /of/torch" in caplog.text
    caplog.clear()
    cache_request("n", Environment("2.1.0"), "/named", "unix:/a")
    monkeypatch.setenv("TORCH_CACHE_DIR", "/of/torch")
    cache_request("n", Environment("2.1.0"), None, "unix:/a")
    assert not caplog.records


@pytest.mark.parametrize("text", ["inf", "1e400", "9" * 400])
def test_a_deadline_is_one_that_clocks_can_keep(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("COMPILE_CACHE_LOAD_DEADLINE_SECONDS", text)
    for seconds in (load_deadline_seconds(None), save_deadline_seconds(math.inf)):
        assert seconds < threading.TIMEOUT_MAX
    assert load_deadline_seconds(math.nan) == load_deadline_seconds(-1) == 0


def test_a_directory_that_is_no_text_is_refused_in_words(call: Call) -> None:
    for method in ("load", "save", "get_cache_info"):
        with pytest.raises(CacheServiceError, match=r"local_dir: .*not UTF-8"):
            call("unix:/none", method, Environment("2.1.0"), local_dir="/tmp/\udcff")
    with pytest.raises(CacheServiceError, match=r"local_dir: .*not UTF-8"):
        call("unix:/none", "clear_local_cache", local_dir="/tmp/\udcff")


def test_a_working_directory_that_is_gone_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(FileNotFoundError, match="x is relative to a working directory that is"):
        resolve_local_directory("x")
