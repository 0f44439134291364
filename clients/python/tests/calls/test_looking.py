"""Clear, list and information, as a model calls them."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import pytest

import compilecache

if TYPE_CHECKING:
    from model import Model


pytestmark = pytest.mark.daemon


def test_clearing_needs_no_daemon(model: Model) -> None:
    model.compile(3)
    (model.local / "link").symlink_to(model.daemon.store)
    (model.local / "lost+found").mkdir()
    assert compilecache.clear_local_cache(address="unix:/nowhere/daemon.sock")
    # They are nobody's cache.
    assert {path.name for path in model.local.iterdir()} == {"link", "lost+found"}
    assert model.daemon.store.exists()
    shutil.rmtree(model.local)
    assert compilecache.clear_local_cache(address="unix:/nowhere/daemon.sock")


@pytest.mark.usefixtures("model")
def test_what_may_not_be_cleared_is_not() -> None:
    assert not compilecache.clear_local_cache(local_dir="/etc")


def test_the_information_says_what_is_where(model: Model) -> None:
    key = compilecache.get_cache_info()["environment_key"]
    assert key.startswith("torch-2.11.0_cpu_triton-none_arch-")
    assert compilecache.get_cache_info() == {
        "environment_key": key,
        "namespace": model.namespace,
        "local_dir": str(model.local),
        "cache_key": compilecache.get_cache_info()["cache_key"],
        "local_cache_exists": False,
        "local_file_count": 0,
        "b10fs_enabled": True,
        "b10fs_cache_exists": False,
        "store": model.daemon.store.as_uri(),
    }
    model.compile(4)
    compilecache.save_compile_cache()
    info = compilecache.get_cache_info()
    assert (info["local_cache_exists"], info["b10fs_cache_exists"]) == (True, True)
    assert info["local_file_count"] == 4
    size = sum(path.stat().st_size for path in model.local.rglob("*") if path.is_file())
    assert info["local_cache_size_mb"] == size / 1024 / 1024
    assert info["b10fs_cache_content_size_mb"] == size / 1024 / 1024
    assert info["b10fs_cache_file_count"] == 4
    assert [info["b10fs_cache_filename"]] == model.stored()
    assert time.time() - 600 < info["b10fs_cache_created_time"] < time.time() + 60
    assert 0 < info["b10fs_cache_size_mb"] < info["local_cache_size_mb"] * 1.1


def test_information_without_a_daemon_says_what_is_here(model: Model) -> None:
    model.compile(4)
    info = compilecache.get_cache_info(address="unix:/nowhere/daemon.sock")
    assert (info["local_cache_exists"], info["b10fs_enabled"]) == (True, False)
    assert info["environment_key"].startswith("torch-2.11.0")
    assert "no daemon answers" in info["error"]


def test_the_list_has_the_newest_first(model: Model) -> None:
    assert compilecache.list_available_caches(namespace=model.namespace)["caches"] == []
    model.compile(2)
    compilecache.save_compile_cache()
    model.set_torch_version("2.12.0")
    compilecache.save_compile_cache()
    listing = compilecache.list_available_caches(namespace=model.namespace)
    assert listing["total_caches"] == 2
    assert (listing["current_cache_exists"], listing["b10fs_enabled"]) == (True, True)
    newest, oldest = listing["caches"]
    assert newest["environment_key"] == listing["current_environment"]
    assert (newest["is_current_environment"], oldest["is_current_environment"]) == (True, False)
    assert newest["created_time"] >= oldest["created_time"] > time.time() - 60
    assert sorted([newest["filename"], oldest["filename"]]) == model.stored()
    assert (newest["file_count"], newest["namespace"]) == (2, model.namespace)


def test_the_list_is_of_all_namespaces(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    model.compile(2)
    compilecache.save_compile_cache()
    another = f"{model.namespace}-another"
    compilecache.save_compile_cache(namespace=another)
    for everybody in (
        compilecache.list_available_caches(),
        compilecache.list_available_caches(namespace=""),
    ):
        shown = [cache["namespace"] for cache in everybody["caches"]]
        assert {model.namespace, another} <= set(shown)
        assert everybody["total_caches"] == len(shown)
        assert everybody["current_cache_exists"]
    # What another namespace holds, a load here would not find.
    monkeypatch.setenv("COMPILE_CACHE_NAMESPACE", f"{model.namespace}-third")
    everybody = compilecache.list_available_caches()
    assert another in [cache["namespace"] for cache in everybody["caches"]]
    assert not everybody["current_cache_exists"]


def test_a_list_needs_no_torch(model: Model) -> None:
    model.compile(1)
    compilecache.save_compile_cache()
    shutil.rmtree(model.packages)
    listing = compilecache.list_available_caches(namespace=model.namespace)
    assert (listing["total_caches"], listing["current_environment"]) == (1, "")
    assert "error" not in listing
    assert not listing["current_cache_exists"]


@pytest.mark.usefixtures("model")
def test_a_list_without_a_daemon_is_empty_and_says_why() -> None:
    listing = compilecache.list_available_caches(address="unix:/nowhere/daemon.sock")
    assert (listing["caches"], listing["b10fs_enabled"]) == ([], False)
    assert "no daemon answers" in listing["error"]
