"""The page for users of b10-transfer, beside what its versions export and read.

test/vectors/b10-transfer.json was read from its wheels.
"""

from __future__ import annotations

import inspect
import json
import logging
import re
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, cast

import pytest

import compilecache
from compilecache._calls.ancestor_settings import IGNORED
from repository import root

if TYPE_CHECKING:
    from model import Model

_page = (root / "docs" / "from-b10-transfer.md").read_text()
_versions: dict[str, dict[str, Any]] = json.loads(
    (root / "test" / "vectors" / "b10-transfer.json").read_text()
)


def _rows(heading: str) -> dict[str, tuple[str, str]]:
    """The table below a heading: for each name its version, and what is said of it."""
    section = _page.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \| (.+) \|$", section, re.MULTILINE)
    return {name: (version, text) for name, version, text in rows}


def _exported(kind: str) -> list[tuple[str, str, Any]]:
    return [
        (version, name, told)
        for version, found in _versions.items()
        for name, told in found[kind].items()
    ]


def _versions_of(name: str, *kinds: str) -> str:
    found = [v for v, surface in _versions.items() if any(name in surface[k] for k in kinds)]
    return "both" if len(found) == len(_versions) else found[0]


def test_the_page_tells_of_each_name() -> None:
    kinds = ("functions", "enumerations", "classes", "scripts")
    names = {name for found in _versions.values() for kind in kinds for name in found[kind]}
    rows = _rows("Names")
    assert set(rows) == names
    assert {name: version for name, (version, _) in rows.items()} == {
        name: _versions_of(name, *kinds) for name in names
    }


def test_the_page_tells_of_each_variable() -> None:
    kinds = ("variables", "page_variables")
    names = {name for found in _versions.values() for kind in kinds for name in found[kind]}
    rows = _rows("Variables")
    assert set(rows) == names
    ignored = {name for name, (_, text) in rows.items() if text.startswith("ignored")}
    assert ignored == {*IGNORED, "HOSTNAME"}
    assert all(re.match("honoured|ignored", text) for _, text in rows.values())
    del rows["TORCH_CACHE_DIR"]  # Only the page of that version knows it.
    assert {name: version for name, (version, _) in rows.items()} == {
        name: _versions_of(name, *kinds) for name in rows
    }


@pytest.mark.parametrize(("version", "name", "told"), _exported("functions"))
def test_a_call_takes_what_it_took(version: str, name: str, told: dict[str, str]) -> None:
    theirs = told["parameters"].split()
    ours = inspect.signature(getattr(compilecache, name)).parameters
    by_position = [p for p in ours.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    named = [text.lstrip("*").partition("=") for text in theirs if not text.startswith("*")]
    assert {name for name, _, _ in named} <= set(ours), version
    for index, (parameter, equals, default) in enumerate(named):
        if ours[parameter].kind is not ours[parameter].KEYWORD_ONLY:
            assert by_position[index].name == parameter
        if equals:
            assert repr(ours[parameter].default) == default
    stars = {text for text in theirs if text.startswith("*")}
    assert stars <= {str(p).split(":")[0] for p in ours.values()}
    added = set(ours) - {text.lstrip("*").partition("=")[0] for text in theirs}
    for parameter in added:
        is_optional = ours[parameter].default is not inspect.Parameter.empty
        assert is_optional or ours[parameter].kind in (
            inspect.Parameter.VAR_POSITIONAL,
            inspect.Parameter.VAR_KEYWORD,
        )


@pytest.mark.parametrize(("version", "name", "members"), _exported("enumerations"))
def test_an_enumeration_has_its_members(version: str, name: str, members: list[str]) -> None:
    ours = cast("type[Enum]", getattr(compilecache, name))
    assert [(member.name, member.value) for member in ours] == [
        (member, number) for number, member in enumerate(members, 1)
    ], version


def test_a_status_equals_its_like_and_nothing_else() -> None:
    assert compilecache.OperationStatus.SUCCESS == compilecache.LoadStatus.SUCCESS
    assert compilecache.SaveStatus.SKIPPED == compilecache.OperationStatus.SKIPPED
    assert compilecache.SaveStatus.SUCCESS != compilecache.SaveStatus.ERROR
    assert compilecache.LoadStatus.SUCCESS not in (1, "SUCCESS", None)
    assert compilecache.LoadStatus(1) is compilecache.LoadStatus.SUCCESS
    assert compilecache.LoadStatus["SKIPPED"] is compilecache.LoadStatus.SKIPPED
    assert {compilecache.LoadStatus.ERROR: "e"}[compilecache.OperationStatus.ERROR] == "e"


@pytest.mark.parametrize(("version", "name", "told"), _exported("classes"))
def test_a_class_is_of_its_kind(version: str, name: str, told: dict[str, list[str]]) -> None:
    ours = getattr(compilecache, name)
    for base in told["bases"]:
        known = {"Exception": Exception, "CacheError": compilecache.CacheError}
        assert issubclass(ours, known[base]), version
    if told["fields"]:
        assert is_dataclass(ours)
        assert [field.name for field in fields(ours)][: len(told["fields"])] == told["fields"]


def _settings_told(caplog: pytest.LogCaptureFixture) -> list[str]:
    lines = [record.getMessage() for record in caplog.records]
    return [line for line in lines if "b10-transfer's settings" in line]


@pytest.mark.daemon
@pytest.mark.usefixtures("model")
def test_ignored_variables_are_told_once_in_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    compilecache.get_cache_info()
    assert _settings_told(caplog) == []
    for number, name in enumerate(IGNORED):
        monkeypatch.setenv(name, str(number))
    compilecache.get_cache_info()
    compilecache.get_cache_info()
    (line,) = _settings_told(caplog)
    for number, name in enumerate(IGNORED):
        assert f"{name}={number}" in line


def _snippet(word: str) -> str:
    found: list[str] = re.findall(r"```python\n(.*?)```", _page, re.DOTALL)
    (snippet,) = [text for text in found if word in text]
    return snippet


@pytest.mark.daemon
def test_the_page_s_background_load_says_what_came_of_it(model: Model) -> None:
    snippet = _snippet("load_compile_cache_async")
    assert model.run(snippet) == "not loaded: DOES_NOT_EXIST\n"
    model.compile(2)
    assert model.run(snippet) == "not loaded: SKIPPED\n"
    compilecache.save_compile_cache()
    compilecache.clear_local_cache()
    assert model.run(snippet) == "loaded\n"
    failed = model.run(snippet, COMPILE_CACHE_ADDRESS="unix:/nowhere/daemon.sock")
    assert failed.startswith("not loaded: ERROR UNAVAILABLE")
