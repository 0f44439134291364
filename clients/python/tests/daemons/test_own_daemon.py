"""The rule that the TypeScript client has, too: test/vectors/own-daemon.json."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from compilecache._daemon import own_daemon, store_location
from compilecache._daemon.own_daemon import (
    OwnDaemonFiles,
    own_daemon_directories,
    own_daemon_files,
    own_daemon_name,
    own_daemon_sockets,
)
from repository import root as repository

if TYPE_CHECKING:
    from collections.abc import Iterator

_vectors: dict[str, Any] = json.loads((repository / "test/vectors/own-daemon.json").read_text())
_settings: dict[str, list[str]] = _vectors["settings"]


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in os.environ:
        if variable != "PATH":
            monkeypatch.delenv(variable)


@pytest.fixture
def place() -> Iterator[Path]:
    # As long as that of the other language: where it is counts for addresses.
    made = Path(tempfile.mkdtemp(dir="/tmp", prefix="cc-own-"))
    yield made
    shutil.rmtree(made)


def _files() -> OwnDaemonFiles:
    return own_daemon_files()[0]


def _arrange(case: dict[str, Any], patch: pytest.MonkeyPatch, root: Path, uid: int) -> None:
    for name in case.get("directories", ()):
        (root / name).mkdir(parents=True)
    for name, target in case.get("links", {}).items():
        (root / name).symlink_to(target)
    patch.setattr("os.getuid", lambda: uid)
    for name, text in case["environment"].items():
        patch.setenv(name, text.replace("<root>", str(root)))


def test_it_has_one_name_for_a_store_however_that_is_written(
    monkeypatch: pytest.MonkeyPatch, place: Path
) -> None:
    names: dict[str, str] = {}
    for case in _vectors["names"]:
        shutil.rmtree(place)
        place.mkdir()
        with monkeypatch.context() as patch:
            _arrange(case, patch, place, _vectors["uid"])
            names[case["name"]] = own_daemon_name(_vectors["surroundings"]).name
    for case in _vectors["names"]:
        name = names[case["name"]]
        assert name == case.get("expected", name), case["name"]
        assert name == names.get(case.get("same", ""), name), case["name"]
        assert name not in [names[other] for other in case.get("differing", ())]


@pytest.mark.parametrize("case", _vectors["directories"], ids=lambda case: case["name"])
def test_its_files_may_be_in_the_same_places(
    monkeypatch: pytest.MonkeyPatch, place: Path, case: dict[str, Any]
) -> None:
    uid = os.getuid() if "own" in case else _vectors["uid"]
    _arrange(case, monkeypatch, place, uid)
    # Python remembers it.
    monkeypatch.setattr(tempfile, "tempdir", None)
    expected = [
        Path(text.replace("<root>", str(place)).replace("<uid>", str(uid)))
        for text in case["expected"]
    ]
    assert list(own_daemon_directories()) == expected


@pytest.mark.parametrize("variable", [name for names in _settings.values() for name in names])
def test_settings_are_part_of_its_name_where_they_decide_what_is_accepted_or_written(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    if variable == "COMPILE_CACHE_STORE":
        return
    for store in ("file:///nowhere", "s3://bucket"):
        monkeypatch.setenv("COMPILE_CACHE_STORE", store)
        monkeypatch.delenv(variable, raising=False)
        before = _files().name
        monkeypatch.setenv(variable, "set")
        decides = variable in _settings["decisive"] or (
            variable in _settings["of_object_stores"] and store == "s3://bucket"
        )
        assert (_files().name != before) == decides


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


def test_no_variable_is_too_odd_for_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("B10FS_CACHE_DIR", "/a=b,c\n\udcff")
    assert _files().name != own_daemon.OwnDaemonFiles(Path("/"), "own").name


def test_a_store_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()

    def _never(_: str) -> str:
        answered.wait()
        return ""

    monkeypatch.setattr(store_location, "_longest_look_seconds", 0.01)
    monkeypatch.setattr(os.path, "realpath", _never)
    monkeypatch.setenv("B10FS_CACHE_DIR", "/nowhere")
    waited = _files().name
    answered.set()
    monkeypatch.undo()
    monkeypatch.setenv("B10FS_CACHE_DIR", "/nowhere")
    assert _files().name == waited


def test_a_process_that_sets_nothing_finds_any_daemon_of_the_store(
    monkeypatch: pytest.MonkeyPatch, place: Path
) -> None:
    place.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(place))
    (place / "compilecache").mkdir(mode=0o700)
    monkeypatch.setenv("MAX_FILE_COUNT", "5")
    other = _files().socket
    other.touch()
    assert other in own_daemon_sockets()
    monkeypatch.delenv("MAX_FILE_COUNT")
    assert next(own_daemon_sockets()) == _files().socket != other
    assert other in own_daemon_sockets()
    monkeypatch.setenv("COMPILE_CACHE_TRUSTED_KEYS", "/key.pem")
    assert other not in own_daemon_sockets()
    monkeypatch.delenv("COMPILE_CACHE_TRUSTED_KEYS")
    monkeypatch.setenv("B10FS_CACHE_DIR", "/another")
    assert other not in own_daemon_sockets()


@pytest.mark.parametrize("home", ["/", "relative", "/nowhere", ""])
def test_there_is_always_a_place(monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    for variable in ("HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "TMPDIR"):
        monkeypatch.setenv(variable, home)
    directories = [files.directory for files in own_daemon_files()]
    assert Path(f"/tmp/compilecache-{os.getuid()}") in directories
    assert all(directory.is_absolute() for directory in directories)
