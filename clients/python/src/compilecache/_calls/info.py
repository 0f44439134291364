"""What is in the caches, in the words of b10-transfer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from compilecache._base.answers import CacheInfo, CacheSummary
from compilecache._base.background import within
from compilecache._base.deadlines import SHORT_CALL_SECONDS
from compilecache._caller.call import ask
from compilecache._calls.request import cache_request
from compilecache._environment import detect
from compilecache.exceptions import CacheValidationError
from compilecache.logger import logger

if TYPE_CHECKING:
    from compilecache._base.local_directory import LocalDir
    from compilecache._calls.request import CacheRequest
    from compilecache.environment import Environment

_bytes_in_mb = 1024 * 1024


def detect_environment() -> Environment:
    """Return the environment of this process, by which its calls name their cache.

    Takes milliseconds: torch is not imported, and CUDA not started. Where CUDA is in use, the
    device is the current one of the thread that calls. Raises CacheValidationError without torch.
    """
    return detect.detect_environment(detect.current_device())


def get_cache_info(
    *,
    namespace: str | None = None,
    environment: Environment | None = None,
    local_dir: LocalDir | None = None,
    address: str | None = None,
) -> dict[str, Any]:
    """Return what this environment has, here and in the store. Never raises, and never hangs.

    `environment_key` (text, empty where none is found), `local_cache_exists`, `b10fs_enabled`
    (whether the store can be asked), `b10fs_cache_exists` (whether it holds the cache), and for
    caches that exist `local_cache_size_mb` and `b10fs_cache_size_mb` (of the archive), in MB of
    1,048,576 bytes. Also `namespace`, `local_dir`, `cache_key`, `local_file_count` and `store`, its
    URL; and of a cache that it holds, `b10fs_cache_filename`, `b10fs_cache_content_size_mb`,
    `b10fs_cache_file_count` and `b10fs_cache_created_time` (seconds since 1970). `error` says why
    something cannot be had. Arguments are as for `load_compile_cache`.
    """
    info: dict[str, Any] = {
        "environment_key": "",
        "local_cache_exists": False,
        "b10fs_enabled": False,
        "b10fs_cache_exists": False,
    }
    try:
        request = cache_request(namespace, environment, local_dir, address)
        info.update(namespace=request.namespace, local_dir=request.local_dir)
        info["local_cache_exists"] = within(
            SHORT_CALL_SECONDS, lambda: _holds_anything(request.local_dir)
        )
        current = within(SHORT_CALL_SECONDS, request.environment)
        info.update(environment_key=current.key(), cache_key=current.cache_key())
        service = within(SHORT_CALL_SECONDS, request.address)
        answers = ask("get_cache_info", request.arguments(), service, SHORT_CALL_SECONDS, current)
        info.update(_info_fields(CacheInfo.from_json(answers[0])))
    except Exception as error:
        logger.warning("no information about caches: %s", error)
        info["error"] = str(error)
    return info


def list_available_caches(
    *,
    namespace: str | None = None,
    environment: Environment | None = None,
    address: str | None = None,
) -> dict[str, Any]:
    """Return the caches in the store, newest first: of all namespaces, or of the one that is named.

    Never raises, and never hangs.

    `caches`: a list of dicts with `filename`, `environment_key` (the cache key where the archive
    says no more), `size_mb` (of the archive, MB of 1,048,576 bytes), `is_current_environment`,
    `created_time` (seconds since 1970), `namespace`, `cache_key`, `content_size_mb`, `file_count`.
    `current_environment`: the environment key, empty without torch. `total_caches`: their number.
    `current_cache_exists`: whether a load with the same arguments would find its cache.
    `b10fs_enabled`: whether the store can be asked; where it cannot, `error` says why.
    `environment` and `address` are as for `load_compile_cache`.
    """
    listing: dict[str, Any] = {
        "caches": [],
        "current_environment": "",
        "total_caches": 0,
        "current_cache_exists": False,
        "b10fs_enabled": False,
    }
    try:
        request = cache_request(namespace or None, environment, None, address)
        current = within(SHORT_CALL_SECONDS, lambda: _environment_if_any(request))
        listing["current_environment"] = current.key() if current else ""
        service = within(SHORT_CALL_SECONDS, request.address)
        arguments = {"namespace": namespace or ""}
        answers = ask("list_caches", arguments, service, SHORT_CALL_SECONDS, current)
        caches = [_cache_fields(CacheSummary(**answer)) for answer in answers]
        listing.update(
            caches=sorted(caches, key=lambda cache: cache["created_time"], reverse=True),
            total_caches=len(caches),
            current_cache_exists=any(
                cache["is_current_environment"] and cache["namespace"] == request.namespace
                for cache in caches
            ),
            b10fs_enabled=True,
        )
    except Exception as error:
        logger.warning("no list of caches: %s", error)
        listing["error"] = str(error)
    return listing


def _environment_if_any(request: CacheRequest) -> Environment | None:
    """Return the environment; None without torch, where no cache is of the current one."""
    try:
        return request.environment()
    except CacheValidationError:
        return None


def _holds_anything(directory: str) -> bool:
    try:
        with os.scandir(directory) as entries:
            return any(entries)
    except OSError:
        return False


def _info_fields(info: CacheInfo) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "environment_key": info.environment_key,
        "cache_key": info.cache_key,
        "local_cache_exists": info.local_exists,
        "local_file_count": info.local_file_count,
        "b10fs_enabled": True,
        "b10fs_cache_exists": info.stored is not None,
        "store": info.store,
    }
    if info.local_exists:
        fields["local_cache_size_mb"] = info.local_bytes / _bytes_in_mb
    if info.stored:
        fields.update(
            b10fs_cache_size_mb=info.stored.archive_bytes / _bytes_in_mb,
            b10fs_cache_filename=info.stored.filename,
            b10fs_cache_content_size_mb=info.stored.content_bytes / _bytes_in_mb,
            b10fs_cache_file_count=info.stored.file_count,
            b10fs_cache_created_time=info.stored.created_at,
        )
    return fields


def _cache_fields(cache: CacheSummary) -> dict[str, Any]:
    return {
        "filename": cache.filename,
        "environment_key": cache.environment_key or cache.cache_key,
        "size_mb": cache.archive_bytes / _bytes_in_mb,
        "is_current_environment": cache.is_current_environment,
        "created_time": cache.created_at,
        "namespace": cache.namespace,
        "cache_key": cache.cache_key,
        "content_size_mb": cache.content_bytes / _bytes_in_mb,
        "file_count": cache.file_count,
    }
