from __future__ import annotations

from typing import Any

import pytest

from compilecache import CacheServiceError, Environment
from repository import read_vectors

# The daemon's tests read the same file.
_vectors: list[dict[str, Any]] = read_vectors("environment-keys")


def _having(member: str) -> list[Any]:
    return [pytest.param(v, id=v["name"]) for v in _vectors if member in v]


@pytest.mark.parametrize("vector", _having("key"))
def test_the_key_of_an_environment(vector: dict[str, Any]) -> None:
    environment = Environment(**vector["environment"])
    assert environment.key() == vector["key"]
    assert environment.cache_key() == vector["cache_key"]


@pytest.mark.parametrize("vector", _having("violations"))
def test_a_wrong_environment_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(CacheServiceError) as caught:
        Environment(**vector["environment"]).key()
    assert (caught.value.code, caught.value.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
    assert [violation.field for violation in caught.value.violations] == vector["violations"]


@pytest.mark.parametrize("vector", _having("differing"))
def test_the_components_that_differ(vector: dict[str, Any]) -> None:
    environment = Environment(**vector["environment"])
    other = Environment(**vector["other"])
    assert environment.differing(other) == vector["differing"]
    assert other.differing(environment) == vector["differing"]


def test_an_environment_survives_the_wire() -> None:
    environment = Environment("2.11.0", "13.0", "9.0", "3.6.0", {"py": "3.12"})
    assert Environment.from_message(environment.to_message()) == environment


def test_an_environment_can_be_a_dictionary_key() -> None:
    labelled = Environment("2.11.0", extra={"py": "3.12"})
    assert {labelled: 1}[Environment("2.11.0", extra={"py": "3.12"})] == 1
