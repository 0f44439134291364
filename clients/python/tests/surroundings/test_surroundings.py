"""What may be around a model's process: each row saves, clears and loads a cache in it.

Those that take longer, or need more than this Python, are in test_slow_surroundings.py.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from repository import need_node
from surrounded import Place, Surrounding, shared_place
from surrounding_rows import like_others, rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest.mark import ParameterSet

pytestmark = pytest.mark.daemon


@pytest.fixture(scope="module")
def shared() -> Iterator[Path]:
    with shared_place() as made:
        yield made


def _parameters() -> list[ParameterSet]:
    return [
        pytest.param(row, id=row.name, marks=pytest.mark.slow if row.name in like_others else ())
        for row in rows
    ]


@pytest.mark.parametrize("surrounding", _parameters())
def test_a_model_finds_its_cache(shared: Path, surrounding: Surrounding) -> None:
    need_node()
    with (
        tempfile.TemporaryDirectory(dir=shared) as made,
        Place(Path(made), shared, surrounding) as place,
    ):
        assert place.run() == surrounding.result
        assert surrounding.words in place.output
