"""Requests to the daemon, in JSON by the names of the contract."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, get_args

from compilecache._base.identity import identity_of, source_identity_of
from compilecache._base.policies import IfLocalExists, IfStoredExists
from compilecache.exceptions import FieldViolation, invalid_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compilecache.environment import Environment

_if_local_exists = get_args(IfLocalExists)
_if_stored_exists = get_args(IfStoredExists)


def load_request(arguments: Mapping[str, Any], environment: Environment) -> dict[str, Any]:
    """Return a LoadRequest. Raises CacheServiceError for an unknown policy."""
    return {
        **cache_request(arguments, environment),
        "detach": arguments.get("detach", False),
        "if_local_exists": _policy(arguments, "if_local_exists", "skip", _if_local_exists),
    }


def save_request(arguments: Mapping[str, Any], environment: Environment) -> dict[str, Any]:
    """Return a SaveRequest. Raises CacheServiceError for an unknown policy."""
    return {
        **cache_request(arguments, environment),
        "detach": arguments.get("detach", False),
        "if_stored_exists": _policy(arguments, "if_stored_exists", "skip", _if_stored_exists),
        "profile": arguments.get("profile", ""),
    }


def cache_request(arguments: Mapping[str, Any], environment: Environment) -> dict[str, Any]:
    """Return what requests about one cache and one directory have, such as GetCacheInfoRequest."""
    return {
        "namespace": arguments["namespace"],
        "environment": environment_message(environment),
        **directory_request(arguments),
    }


def directory_request(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what requests about a directory have, with what this process sees there now."""
    directory = arguments["local_dir"]
    return {"local_dir": directory, "local_dir_identity": identity_of(path_here(directory))}


def copy_request(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a StartTransferRequest."""
    source, destination = arguments["source"], arguments["destination"]
    return {
        "source": source,
        "destination": destination,
        "operation_name": arguments.get("operation_name", ""),
        "source_identity": source_identity_of(path_here(source)),
        "destination_identity": identity_of(path_here(destination), or_above=True),
    }


def path_here(named: str) -> str:
    """Return a path of a request, which is UTF-8, as this process names it: by its locale."""
    return os.fsdecode(named.encode())


def environment_message(environment: Environment) -> dict[str, Any]:
    """Return an environment as it is sent."""
    return {
        "torch_version": environment.torch_version,
        "cuda_version": environment.cuda_version,
        "compute_capability": environment.compute_capability,
        "triton_version": environment.triton_version,
        "extra": dict(environment.extra),
    }


def _policy(
    arguments: Mapping[str, Any], name: str, otherwise: str, allowed: tuple[str, ...]
) -> str:
    word = arguments.get(name, otherwise)
    if word in allowed:
        return f"{name}_{word}".upper()
    raise invalid_request([FieldViolation(name, f"{word!r} is none of {', '.join(allowed)}")])
