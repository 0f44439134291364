"""`import b10_transfer`, by the shim: the ancestor's own name for what this package has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ancestor_models import torch_that_compiles, version_0_0, version_0_4
from directories import facts_of
from repository import root

if TYPE_CHECKING:
    from pathlib import Path

    from model import Model

_shim = root / "clients" / "b10-transfer-shim" / "src"
_source = root / "clients" / "python" / "src"


def _python(script: str, *first: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(map(str, [*first, _shim, _source]))
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )


@pytest.mark.daemon
@pytest.mark.parametrize("version", ["0.0", "0.4"])
def test_a_model_that_was_not_changed(model: Model, version: str) -> None:
    script = (version_0_0 if version == "0.0" else version_0_4).replace(
        "import compilecache as b10_transfer", "import b10_transfer"
    )
    script = script.replace("from compilecache import", "from b10_transfer import")
    assert "compilecache" not in script.replace("compile_cache", "")
    (model.packages / "torch" / "__init__.py").write_text(torch_that_compiles)
    path = os.pathsep.join([str(model.packages), str(_shim)])
    assert model.run(script, PYTHONPATH=path) == "DOES_NOT_EXIST 1\n"
    for name in facts_of(model.local):
        (model.local / name).unlink()
    assert model.run(script, PYTHONPATH=path) == "SUCCESS 0\n"


def test_it_has_all_that_the_ancestor_exports_and_brings_no_grpc() -> None:
    versions = json.loads((root / "test" / "vectors" / "b10-transfer.json").read_text())
    kinds = ("functions", "enumerations", "classes")
    names = sorted({n for found in versions.values() for kind in kinds for n in found[kind]})
    script = (
        "import b10_transfer, compilecache, sys\n"
        f"names = {names}\n"
        "assert sorted(b10_transfer.__all__) == names\n"
        "assert all(getattr(b10_transfer, n) is getattr(compilecache, n) for n in names)\n"
        "from b10_transfer import save_vllm_compile_cache, prefetch\n"
        "assert not hasattr(b10_transfer, 'nothing')\n"
        "assert 'grpc' not in sys.modules\n"
    )
    done = _python(script)
    assert (done.returncode, done.stderr) == (0, "")


def test_it_does_not_take_the_place_of_the_real_one(tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    package = site / "b10_transfer"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("here = 'the real one'")
    # Both in one place, as pip has them.
    (site / "b10_transfer.py").write_text((_shim / "b10_transfer.py").read_text())
    asked = "import b10_transfer; print(b10_transfer.here)"
    assert _python(asked, site).stdout == "the real one\n"
    # The real one elsewhere, and behind.
    (package / "__init__.py").unlink()
    package.rmdir()
    metadata = site / "b10_transfer-0.4.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: b10-transfer\nVersion: 0.4.1\n"
    )
    refused = _python(asked, site)
    assert refused.returncode == 1
    assert "b10-transfer 0.4.1 is installed" in refused.stderr
    assert "pip uninstall compilecache-b10-transfer" in refused.stderr
