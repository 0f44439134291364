"""Which module may import which: a map of the package that cannot go out of date.

Also counted are imports inside functions, those for type checkers alone, and modules that are named
in a text, as those are that another process runs.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_source = Path(__file__).parents[1] / "src"
_package = "compilecache"

_words = ("environment", "errors", "exceptions", "logger", "statuses", "transfer_progress")

# For each folder, and each module at the top: which others it may import, as whole folders or as
# single modules of them.
_allowed: dict[str, tuple[str, ...]] = {
    "v1": (),
    "_harmless_text": (),
    "exceptions": ("_harmless_text",),
    "statuses": (),
    "logger": ("_harmless_text",),
    "errors": ("exceptions",),
    "environment": ("exceptions", "v1"),
    "transfer_progress": ("statuses",),
    "_base": _words,
    "_environment": (*_words, "_base"),
    "_daemon": (*_words, "_base"),
    # A client that is given no address asks where the daemon is, and starts none.
    "_rpc": (*_words, "_base", "_daemon.find", "_daemon.address", "v1"),
    "client": ("_rpc",),
    "aio": ("_rpc",),
    "_caller": (*_words, "_base", "_rpc", "_daemon.address", "v1"),
    # They know nothing of gRPC, which must not live in a model's process.
    "_calls": (*_words, "_base", "_environment", "_daemon", "_caller.call"),
    "__init__": (*_words, "_calls", "_daemon.start", "client", "aio"),
    "commands": (*_words, "_base", "_environment", "_daemon", "_calls", "__init__"),
    "__main__": ("commands",),
    "_as_program": ("__main__",),
}

# Packages of others, and who may import them.
_only_in: dict[str, tuple[str, ...]] = {
    "grpc": ("v1", "_rpc"),
    "google": ("v1", "_rpc", "errors", "_caller.from_messages"),
}


@dataclass
class _Module:
    name: str
    """Without the package's; `__init__` is the door, and a folder's is the folder's name."""
    text: str
    inner: set[str] = field(default_factory=set[str])
    outer: set[str] = field(default_factory=set[str])


def _name_of(path: Path) -> str:
    parts = path.relative_to(_source / _package).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def _read_modules() -> dict[str, _Module]:
    paths = [path for path in (_source / _package).rglob("*.py") if "_server" not in path.parts]
    modules = {_name_of(path): _Module(_name_of(path), path.read_text("utf-8")) for path in paths}
    full_names = {f"{_package}.{name}" for name in modules}
    for module in modules.values():
        for imported in _imports(module.text, full_names):
            first, _, rest = imported.partition(".")
            if first != _package:
                module.outer.add(first)
                continue
            # Of `from a.b import c` only the modules know whether c is one.
            while rest and rest not in modules:
                rest = rest.rpartition(".")[0]
            module.inner.add(rest or "__init__")
        module.inner.discard(module.name)
    return modules


def _imports(text: str, names: set[str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute, so that they can be searched for"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and str(node.value) in names:
            yield str(node.value)


_modules = _read_modules()


def _room_of(name: str) -> str:
    return name.partition(".")[0]


def test_all_folders_and_top_modules_are_listed() -> None:
    assert len(_modules) > 50
    assert {_room_of(name) for name in _modules} == set(_allowed)


def test_modules_import_only_what_they_may() -> None:
    wrong = [
        f"{module.name} imports {name}"
        for module in _modules.values()
        for name in sorted(module.inner)
        if _room_of(name) != _room_of(module.name)
        and not {name, _room_of(name)} & set(_allowed[_room_of(module.name)])
    ]
    assert wrong == []


def test_what_is_listed_is_needed() -> None:
    """So that the map shows what is, and not what once was."""
    unneeded = [
        f"{room} does not import {name}"
        for room, names in _allowed.items()
        for name in names
        if name not in _words
        and not any(
            name in (found, _room_of(found))
            for module in _modules.values()
            if _room_of(module.name) == room
            for found in module.inner
        )
    ]
    assert unneeded == []


def test_packages_of_others_are_imported_where_they_belong() -> None:
    if sys.version_info < (3, 10):
        pytest.skip("this Python does not know which modules are its own")
    wrong = [
        f"{module.name} imports {name}"
        for module in _modules.values()
        for name in sorted(module.outer)
        if name not in sys.stdlib_module_names
        and not {module.name, _room_of(module.name)} & set(_only_in.get(name, ()))
    ]
    assert wrong == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    try:
        TopologicalSorter({name: found.inner for name, found in _modules.items()}).prepare()
    except CycleError as error:
        raise AssertionError(f"a circle: {' <- '.join(error.args[1])}") from None
