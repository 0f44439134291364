"""Requests from what callers say: what both clients share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

from compilecache._base.local_directory import LocalDir, resolve_local_directory
from compilecache.exceptions import FieldViolation, invalid_request
from compilecache.v1 import cache_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compilecache._base.policies import IfLocalExists, IfStoredExists
    from compilecache.environment import Environment

_Value = TypeVar("_Value")

_if_local_exists: dict[str, pb.IfLocalExists.ValueType] = {
    "skip": pb.IF_LOCAL_EXISTS_SKIP,
    "merge": pb.IF_LOCAL_EXISTS_MERGE,
    "replace": pb.IF_LOCAL_EXISTS_REPLACE,
}
_if_stored_exists: dict[str, pb.IfStoredExists.ValueType] = {
    "skip": pb.IF_STORED_EXISTS_SKIP,
    "refresh": pb.IF_STORED_EXISTS_REFRESH,
    "replace": pb.IF_STORED_EXISTS_REPLACE,
}


def local_directory(local_dir: LocalDir | None) -> str:
    """Return the directory that a request means. Raises CacheServiceError where it is no text."""
    path = resolve_local_directory(local_dir)
    try:
        path.encode()
    except UnicodeEncodeError:
        raise invalid_request(
            [FieldViolation("local_dir", f"{os.fsencode(path)!r} is not UTF-8, as paths must be")]
        ) from None
    return path


def load_request(
    namespace: str,
    environment: Environment,
    local_dir: LocalDir | None,
    detach: bool,
    if_local_exists: IfLocalExists,
) -> pb.LoadRequest:
    """Return a LoadRequest. Raises CacheServiceError for an unknown policy."""
    return pb.LoadRequest(
        namespace=namespace,
        environment=environment.to_message(),
        local_dir=local_directory(local_dir),
        detach=detach,
        if_local_exists=_value_of(_if_local_exists, if_local_exists, "if_local_exists"),
    )


def save_request(
    namespace: str,
    environment: Environment,
    local_dir: LocalDir | None,
    detach: bool,
    if_stored_exists: IfStoredExists,
    profile: str,
) -> pb.SaveRequest:
    """Return a SaveRequest. Raises CacheServiceError for an unknown policy."""
    return pb.SaveRequest(
        namespace=namespace,
        environment=environment.to_message(),
        local_dir=local_directory(local_dir),
        detach=detach,
        if_stored_exists=_value_of(_if_stored_exists, if_stored_exists, "if_stored_exists"),
        profile=profile,
    )


def _value_of(values: Mapping[str, _Value], word: str, field: str) -> _Value:
    value = values.get(word)
    if value is None:
        allowed = ", ".join(values)
        raise invalid_request([FieldViolation(field, f"{word!r} is none of {allowed}")])
    return value
