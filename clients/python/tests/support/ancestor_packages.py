"""b10-transfer itself, from its wheels, where a test is told where they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_variable = "B10_TRANSFER_WHEELS"


def ancestor_wheel(version: str) -> Path:
    """Return the wheel of a version, from which Python can import; else skip the test."""
    folder = os.environ.get(_variable, "")
    wheel = Path(folder) / f"b10_transfer-{version}-py3-none-any.whl"
    if not folder or not wheel.exists():
        pytest.skip(
            f"needs {wheel.name}: pip download --no-deps -d DIR b10-transfer=={version}, and name "
            f"DIR in {_variable}"
        )
    return wheel


# Its own calls, outside of the directories that it allows, on a disk and a GPU that are not there.
saving_program = """
import importlib.util, shutil, sys, types

torch = types.ModuleType("torch")
torch.version = types.SimpleNamespace(cuda="12.8")
torch.cuda = types.SimpleNamespace(
    is_available=lambda: True,
    current_device=lambda: 0,
    get_device_properties=lambda device: types.SimpleNamespace(name="NVIDIA H100 80GB HBM3"),
)
sys.modules["torch"] = torch

shutil.disk_usage = lambda path: (2**50, 0, 2**50)

spec = importlib.util.find_spec("b10_transfer")
package = importlib.util.module_from_spec(spec)
sys.modules["b10_transfer"] = package
from b10_transfer import utils
utils.validate_path_security = lambda path, *rest, **named: str(path)
spec.loader.exec_module(package)
print(package.save_compile_cache().name)
"""
