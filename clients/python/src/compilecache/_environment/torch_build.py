"""The versions of torch and Triton, without importing either."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compilecache.exceptions import CacheValidationError

# All of these have a package `triton`.
_triton_distributions = (
    "triton",
    "pytorch_triton",
    "pytorch_triton_rocm",
    "triton_rocm",
    "pytorch_triton_xpu",
    "triton_xpu",
)


@dataclass(frozen=True)
class TorchBuild:
    """What torch was built as. Without CUDA or ROCm, its version is None."""

    version: str
    cuda: str | None
    hip: str | None


def torch_build() -> TorchBuild:
    """Return which torch is installed: asked where it is imported, else read from its files.

    Raises CacheValidationError where there is none.
    """
    torch: Any = sys.modules.get("torch")
    version: Any = getattr(torch, "version", None)
    # The last of the three, for another thread may be importing it just now.
    if hasattr(version, "hip"):
        return TorchBuild(str(version.__version__), version.cuda, version.hip)
    return read_torch_build()


def read_torch_build() -> TorchBuild:
    """Return which torch is installed, read from its files.

    Raises CacheValidationError where there is none.
    """
    directory = _package_directory("torch")
    if directory is None:
        raise CacheValidationError(
            f"torch is not installed for {sys.executable or 'this Python'}, and no environment was "
            "named: environment=compilecache.Environment(...) names one, and --python of "
            "`compilecache run` another Python"
        )
    found = _literals(directory / "version.py")
    version = found.get("__version__")
    if not version:
        raise CacheValidationError(f"the torch in {directory} does not say its version")
    return TorchBuild(version, found.get("cuda"), found.get("hip"))


def triton_version() -> str:
    """Return the version of Triton that is installed, and an empty text where there is none.

    From its files also where it is imported: a nightly build's module says less than they do.
    """
    directory = _package_directory("triton")
    if directory is None:
        return ""
    for name in _triton_distributions:
        # Beside the package: another copy elsewhere may have another version.
        for metadata in directory.parent.glob(f"{name}-*.dist-info/METADATA"):
            found = re.search(r"^Version: *(\S+)", metadata.read_text("utf-8"), re.MULTILINE)
            if found:
                return found[1]
    return _literals(directory / "__init__.py").get("__version__", "")


def _package_directory(name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(name)
    # Raised for a module in sys.modules that has no spec, such as one that a test made.
    except ValueError:
        return None
    locations = spec.submodule_search_locations if spec else None
    return Path(next(iter(locations))) if locations else None


def _literals(file: Path) -> dict[str, str]:
    """Return the texts that a module assigns to names at its top level, without running it."""
    try:
        statements = ast.parse(file.read_bytes()).body
    except (OSError, SyntaxError):
        return {}
    found: dict[str, str] = {}
    for statement in statements:
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        else:
            continue
        value = statement.value
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            found.update({name.id: value.value for name in targets if isinstance(name, ast.Name)})
    return found
