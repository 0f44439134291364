"""This repository: where its parts are that tests use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

root = Path(__file__).parents[4]
source = root / "clients" / "python" / "src"
node = root / "node_modules" / ".bin" / "node"
drivers = Path(__file__).parent / "drivers"


def need_node() -> None:
    """Skip the test where there is no Node of this repository to run the daemon with."""
    if not node.exists():
        pytest.skip("the daemon needs npm ci first")


def read_vectors(name: str) -> Any:
    """Read what several languages are tested against: a file of test/vectors."""
    return json.loads((root / "test" / "vectors" / f"{name}.json").read_text("utf-8"))
