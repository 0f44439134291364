"""Ids of models as namespaces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import compilecache

if TYPE_CHECKING:
    from model import Model

pytestmark = pytest.mark.daemon

_vectors = Path(__file__).parents[4] / "test" / "vectors" / "namespaces.json"


@pytest.mark.usefixtures("model")
def test_an_id_of_a_model_is_a_namespace(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    namespace = "meta-llama/Llama-3.1-8B"
    folders = json.loads(_vectors.read_text(encoding="utf-8"))["folders"]
    (folder,) = (row["folder"] for row in folders if row["namespace"] == namespace)
    monkeypatch.setenv("COMPILE_CACHE_NAMESPACE", namespace)
    model.compile(2)
    assert compilecache.save_compile_cache().name == "SUCCESS"
    assert (model.daemon.store / folder).is_dir()
    listed = compilecache.list_available_caches(namespace=namespace)
    assert [cache["namespace"] for cache in listed["caches"]] == [namespace]
