from __future__ import annotations

import os
from pathlib import Path

import pytest

from compilecache._daemon.own_daemon import OwnDaemonFiles, own_daemon_files


def _files(local_dir: str = "/local") -> OwnDaemonFiles:
    return own_daemon_files(local_dir)[0]


def test_a_path_means_another_directory_in_another_mount_namespace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = _files()
    assert here == _files()
    real_stat = os.stat

    def in_another_container(path: str) -> os.stat_result:
        found = real_stat(path)
        other = list(found)
        other[1] += path == "/proc/self/ns/mnt"
        return os.stat_result(other)

    monkeypatch.setattr(os, "stat", in_another_container)
    assert _files().name != here.name


def test_where_namespaces_cannot_be_read_there_is_a_name_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def denied(*_: object) -> os.stat_result:
        raise PermissionError

    monkeypatch.setattr(os, "stat", denied)
    assert _files() == _files()


@pytest.mark.parametrize(
    "variable", ["AWS_PROFILE", "HTTPS_PROXY", "no_proxy", "NODE_EXTRA_CA_CERTS"]
)
def test_what_decides_how_the_store_is_reached_is_part_of_the_name(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    before = _files()
    monkeypatch.setenv(variable, "another")
    assert _files().name != before.name


def test_no_file_name_is_too_odd_for_a_name() -> None:
    assert _files("/a=b,c\n\udcff").name != _files("/a=b,c").name


@pytest.mark.parametrize("home", ["/", "relative", "/nowhere", ""])
def test_there_is_always_a_place(monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    for variable in ("HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "TMPDIR"):
        monkeypatch.setenv(variable, home)
    directories = [files.directory for files in own_daemon_files("/local")]
    assert Path(f"/tmp/compilecache-{os.getuid()}") in directories
    assert all(directory.is_absolute() for directory in directories)
