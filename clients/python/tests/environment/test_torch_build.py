"""Versions that are read from files."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path

import pytest

from compilecache import CacheValidationError
from compilecache._environment.torch_build import TorchBuild, torch_build, triton_version
from model import import_first_from


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that packages are imported from, before all others."""
    import_first_from(monkeypatch, tmp_path)
    return tmp_path


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def _install(packages: Path, name: str, version_py: str) -> None:
    _write(packages / name / "__init__.py", "raise RuntimeError('it was imported')\n")
    _write(packages / name / "version.py", version_py)


def test_a_build_for_cuda(packages: Path) -> None:
    _install(
        packages,
        "torch",
        "from typing import Optional\n\n"
        "__all__ = ['__version__', 'debug', 'cuda', 'git_version', 'hip', 'rocm', 'xpu']\n"
        "__version__ = '2.11.0+cu130'\ndebug = False\ncuda: Optional[str] = '13.0'\n"
        "git_version = '70d99e9'\nhip: Optional[str] = None\nxpu: Optional[str] = None\n",
    )
    assert torch_build() == TorchBuild("2.11.0+cu130", "13.0", None)


def test_an_older_build_for_a_cpu(packages: Path) -> None:
    _install(packages, "torch", "__version__ = '2.1.0+cpu'\ndebug = False\ncuda = None\nhip = None")
    assert torch_build() == TorchBuild("2.1.0+cpu", None, None)


def test_a_build_for_rocm(packages: Path) -> None:
    _install(packages, "torch", "__version__ = '2.9.0+rocm6.4'\ncuda = None\nhip = '6.4.43484-1'\n")
    assert torch_build() == TorchBuild("2.9.0+rocm6.4", None, "6.4.43484-1")


def test_no_code_of_torch_is_run(packages: Path) -> None:
    _install(packages, "torch", "__version__ = '2.9.0'\nraise RuntimeError('it was run')\n")
    assert torch_build().version == "2.9.0"
    assert "torch" not in sys.modules


def test_no_torch_is_an_error(packages: Path) -> None:
    with pytest.raises(CacheValidationError, match="torch is not installed"):
        torch_build()
    _install(packages, "torch", "")
    with pytest.raises(CacheValidationError, match="does not say its version"):
        torch_build()


def test_an_imported_torch_is_asked(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(packages, "torch", "__version__ = 'of another one'\n")
    torch = types.ModuleType("torch")
    monkeypatch.setitem(sys.modules, "torch", torch)
    version = types.SimpleNamespace(__version__="2.11.0", cuda="13.0", hip=None)
    monkeypatch.setattr(torch, "version", version, raising=False)
    assert torch_build() == TorchBuild("2.11.0", "13.0", None)


def test_a_torch_that_is_being_imported_is_read(
    packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install(packages, "torch", "__version__ = '2.11.0'\ncuda = '13.0'\n")
    spec = importlib.util.find_spec("torch")
    assert spec
    torch = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "torch", torch)
    half_of_it = types.SimpleNamespace(__version__="2.11.0")
    monkeypatch.setattr(torch, "version", half_of_it, raising=False)
    assert torch_build() == TorchBuild("2.11.0", "13.0", None)


@pytest.mark.parametrize(
    ("distribution", "version"),
    [
        ("triton", "3.6.0"),
        ("pytorch_triton", "3.6.0+git9844da95"),
        ("pytorch_triton_rocm", "3.4.0"),
        ("triton_rocm", "3.5.0"),
    ],
)
def test_triton_s_version_is_its_distribution_s(
    packages: Path, distribution: str, version: str
) -> None:
    _install(packages, "triton", "")
    metadata = f"Metadata-Version: 2.4\nName: {distribution}\nVersion: {version}\n\nVersion: 0\n"
    _write(packages / f"{distribution}-{version}.dist-info" / "METADATA", metadata)
    assert triton_version() == version


def test_triton_without_metadata_is_read(packages: Path) -> None:
    _write(packages / "triton" / "__init__.py", '"""isort:skip_file"""\n__version__ = \'3.6.0\'\n')
    assert triton_version() == "3.6.0"


def test_no_triton_has_no_version(packages: Path) -> None:
    assert triton_version() == ""
    # Metadata that a removal has left.
    _write(packages / "triton-3.6.0.dist-info" / "METADATA", "Name: triton\nVersion: 3.6.0\n")
    assert triton_version() == ""
