"""Directories are made ahead where this user's own links lead, and nowhere else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from compilecache._base.local_directory import create_local_directory, remove_made_directories
from compilecache._base.own_links import opened_through_own_links

if TYPE_CHECKING:
    from pathlib import Path

_needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a link away")


def test_own_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "first").symlink_to("disk")
    (tmp_path / "second").symlink_to(tmp_path / "first" / ".." / "first")
    made = create_local_directory(str(tmp_path / "second" / "a" / "b"))
    assert (tmp_path / "disk" / "a" / "b").is_dir()
    remove_made_directories(made)
    assert list((tmp_path / "disk").iterdir()) == []


@_needs_root
def test_nothing_is_made_where_the_link_of_another_user_leads(tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    link = tmp_path / "link"
    link.symlink_to("victim")
    os.lchown(link, 3000, 3000)
    assert create_local_directory(str(link / "a" / "b")) == []
    assert list((tmp_path / "victim").iterdir()) == []


@_needs_root
def test_one_that_is_put_there_meanwhile_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither to make a directory, nor to remove one."""
    (tmp_path / "victim" / "a").mkdir(parents=True)
    theirs = tmp_path / "theirs"
    theirs.mkdir()

    def exchange_once(path: str) -> object:
        if theirs.is_dir() and not theirs.is_symlink():
            theirs.rename(tmp_path / "moved")
            theirs.symlink_to("victim")
            os.lchown(theirs, 3000, 3000)
        return opened_through_own_links(path)

    opened = "compilecache._base.local_directory.opened_through_own_links"
    monkeypatch.setattr(opened, exchange_once)
    assert create_local_directory(str(theirs / "b")) == []
    remove_made_directories([str(theirs / "a")])
    assert [path.name for path in (tmp_path / "victim").iterdir()] == ["a"]
