from __future__ import annotations

import getpass
import os
import tempfile
from typing import TYPE_CHECKING

from compilecache._base.local_directory import resolve_local_directory, torch_cache_directory

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


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
