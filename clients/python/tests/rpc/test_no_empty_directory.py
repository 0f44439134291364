"""A load that puts nothing into its directory leaves none that was made for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import compilecache
from compilecache import CacheServiceError
from compilecache.aio import AsyncCacheClient
from compilecache.client import CacheClient

if TYPE_CHECKING:
    from pathlib import Path

    from model import Model

pytestmark = pytest.mark.daemon

environment = compilecache.Environment("9.9.9")


def test_a_miss_of_the_client_leaves_none(model: Model) -> None:
    with CacheClient(model.daemon.address) as client:
        assert client.load(environment, local_dir=model.local).status == 4
        assert not model.local.exists()
        model.local.mkdir(parents=True)
        client.load(environment, local_dir=model.local)
    # It was there before.
    assert model.local.is_dir()


def test_a_refusal_leaves_none(model: Model, tmp_path: Path) -> None:
    elsewhere = tmp_path / "else" / "where"
    with CacheClient(model.daemon.address) as client, pytest.raises(CacheServiceError):
        client.load(environment, local_dir=elsewhere)
    assert not elsewhere.parent.exists()


def test_no_daemon_leaves_none(tmp_path: Path) -> None:
    elsewhere = tmp_path / "else" / "where"
    with CacheClient("unix:/nowhere/daemon.sock") as client, pytest.raises(CacheServiceError):
        client.load(environment, local_dir=elsewhere)
    assert not elsewhere.parent.exists()


async def _miss(model: Model) -> None:
    async with AsyncCacheClient(model.daemon.address) as client:
        await client.load(environment, local_dir=model.local)


def test_a_miss_of_the_asynchronous_client_leaves_none(model: Model) -> None:
    import asyncio

    asyncio.run(_miss(model))
    assert not model.local.exists()


def test_a_miss_of_a_model_leaves_none(model: Model) -> None:
    assert compilecache.load_compile_cache().name == "DOES_NOT_EXIST"
    assert not model.local.exists()
    operation_id = compilecache.load_compile_cache_async()
    compilecache.wait_for_completion(operation_id)
    assert not model.local.exists()
