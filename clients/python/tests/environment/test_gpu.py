"""Which GPU a process works on, with libraries that stand in for a driver's."""

from __future__ import annotations

import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

from compilecache import Environment
from compilecache._environment import amd, cuda, nvml
from compilecache._environment.detect import current_device, detect_environment
from model import import_first_from
from repository import drivers

_h200 = "NVIDIA H200,9.0,GPU-d895c544-9d8b,0"
_other_h200 = "NVIDIA H200,9.0,GPU-d8ffffff-0000,0"
_t4 = "Tesla T4,7.5,GPU-12345678-9d8b"
_split_a100 = "NVIDIA A100-SXM4-80GB,8.0,GPU-aaaaaaaa-9d8b,1"


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the libraries are, with their real names."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler to make a driver's libraries with")
    directory = tmp_path_factory.mktemp("drivers")
    for source, library in [("nvml.c", "libnvidia-ml.so.1"), ("cuda.c", "libcuda.so.1")]:
        paths = ["-o", str(directory / library), str(drivers / source)]
        subprocess.run([compiler, "-shared", "-fPIC", *paths], check=True)
    return directory


class Machine:
    """A machine with a torch that is built for CUDA, and the GPUs that a test gives it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, libraries: Path, packages: Path) -> None:
        self._monkeypatch = monkeypatch
        self._packages = packages
        monkeypatch.setattr(nvml, "_library", str(libraries / "libnvidia-ml.so.1"))
        # Another process loads it, by its name.
        monkeypatch.setenv("LD_LIBRARY_PATH", str(libraries))
        import_first_from(monkeypatch, packages)
        for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "HIP_VISIBLE_DEVICES"):
            monkeypatch.delenv(name, raising=False)
        self.install_torch("2.11.0+cu130", "13.0", None)

    def install_torch(self, version: str, cuda: str | None, hip: str | None) -> None:
        torch = self._packages / "torch"
        torch.mkdir(exist_ok=True)
        (torch / "__init__.py").touch()
        text = f"__version__ = {version!r}\ncuda = {cuda!r}\nhip = {hip!r}\n"
        (torch / "version.py").write_text(text)

    def has(self, *gpus: str) -> None:
        self._monkeypatch.setenv("FAKE_GPUS", ";".join(gpus))

    def sees(self, devices: str) -> None:
        self._monkeypatch.setenv("CUDA_VISIBLE_DEVICES", devices)

    def counts_by_address(self) -> None:
        self._monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")

    def cuda_says(self, gpu: str) -> None:
        self._monkeypatch.setenv("FAKE_CUDA_GPU", gpu)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, libraries: Path, tmp_path: Path) -> Machine:
    return Machine(monkeypatch, libraries, tmp_path)


def _gpu_of(environment: Environment) -> tuple[str, str, str]:
    label = environment.extra.get("gpu", "")
    return environment.cuda_version, environment.compute_capability, label


_on_h200 = ("13.0", "9.0", "NVIDIA H200")
_on_t4 = ("13.0", "7.5", "Tesla T4")
_on_cpu = ("", "", "")


def test_the_key_names_the_gpu(machine: Machine) -> None:
    machine.has(_h200, _other_h200)
    environment = detect_environment()
    assert _gpu_of(environment) == _on_h200
    assert environment.key().startswith("torch-2.11.0_cuda-13.0_cc-9.0_triton-none_arch-")
    assert "_gpu-nvidia-h200_isa-" in environment.key()


@pytest.mark.parametrize(
    ("devices", "found"),
    [
        ("1", _on_h200),
        ("1,0", _on_h200),
        (" 1 , 7", _on_h200),
        ("", _on_cpu),
        ("-1", _on_cpu),
        ("-1,0", _on_cpu),
        ("2", _on_cpu),
        ("7,0", _on_cpu),
        ("0,0", _on_cpu),
        ("NoDevFiles", _on_cpu),
        ("GPU-d895c544-9d8b", _on_h200),
        ("GPU-d895", _on_h200),
        # Of both.
        ("GPU-d8", _on_cpu),
        ("GPU-00000000", _on_cpu),
    ],
)
def test_visible_devices_are_read_as_the_driver_does(
    machine: Machine, devices: str, found: tuple[str, str, str]
) -> None:
    machine.has(_h200, _other_h200)
    machine.sees(devices)
    assert _gpu_of(detect_environment()) == found


@pytest.mark.parametrize(
    ("devices", "found"),
    [("0", _on_h200), ("1", _on_t4), ("1,0", _on_t4), ("GPU-1234,GPU-d895", _on_t4)],
)
def test_of_several_kinds_the_address_s_order_tells(
    machine: Machine, devices: str, found: tuple[str, str, str]
) -> None:
    machine.has(_h200, _t4)
    machine.counts_by_address()
    machine.sees(devices)
    assert _gpu_of(detect_environment()) == found


def test_of_several_kinds_cuda_tells_which_it_puts_first(machine: Machine) -> None:
    machine.has(_t4, _h200)
    machine.cuda_says("NVIDIA H200,9,0")
    assert _gpu_of(detect_environment()) == _on_h200
    machine.sees("0")
    assert _gpu_of(detect_environment()) == _on_h200


def test_of_several_kinds_a_uuid_needs_no_order(machine: Machine) -> None:
    machine.has(_t4, _h200)
    machine.sees("GPU-1234")
    assert _gpu_of(detect_environment()) == _on_t4


@pytest.mark.parametrize("devices", [None, "0", "MIG-6f2a3b4c-0000"])
def test_of_a_split_gpu_cuda_tells_what_it_shows(machine: Machine, devices: str | None) -> None:
    machine.has(_split_a100, _split_a100)
    machine.cuda_says("NVIDIA A100-SXM4-80GB MIG 1g.10gb,8,0")
    if devices is not None:
        machine.sees(devices)
    found = _gpu_of(detect_environment())
    assert found == ("13.0", "8.0", "NVIDIA A100-SXM4-80GB MIG 1g.10gb")


def test_a_driver_without_nvml_is_asked(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as on a Jetson."""
    monkeypatch.setattr(nvml, "_library", "/nowhere/libnvidia-ml.so.1")
    machine.cuda_says("Orin,8,7")
    assert _gpu_of(detect_environment()) == ("13.0", "8.7", "Orin")


def test_without_a_gpu_the_environment_is_the_cpu_s(machine: Machine) -> None:
    assert _gpu_of(detect_environment()) == _on_cpu
    machine.has()
    assert _gpu_of(detect_environment()) == _on_cpu


def test_without_a_driver_the_environment_is_the_cpu_s(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine.cuda_says("NVIDIA H200,9,0")
    monkeypatch.setattr(nvml, "_library", "/nowhere/libnvidia-ml.so.1")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    if cuda.first_cuda_gpu():
        pytest.skip("this machine has a driver of its own")
    assert _gpu_of(detect_environment()) == _on_cpu


def test_a_build_for_cpus_asks_no_driver(machine: Machine) -> None:
    machine.has(_h200)
    machine.install_torch("2.11.0+cpu", None, None)
    assert _gpu_of(detect_environment()) == _on_cpu


class _Torch(types.ModuleType):
    """A torch that uses CUDA, with the second of two GPUs as its current one."""

    def __init__(self, cuda: str | None, hip: str | None, *properties: object) -> None:
        super().__init__("torch")
        self.version = types.SimpleNamespace(__version__="2.11.0", cuda=cuda, hip=hip)
        self.cuda = types.SimpleNamespace(
            is_initialized=lambda: True,
            current_device=lambda: 1,
            get_device_properties=properties.__getitem__,
        )


def test_a_torch_that_uses_cuda_is_asked(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.has(_h200)
    h200 = types.SimpleNamespace(name="NVIDIA H200", major=9, minor=0, gcnArchName="NVIDIA H200")
    t4 = types.SimpleNamespace(name="Tesla T4", major=7, minor=5, gcnArchName="Tesla T4")
    monkeypatch.setitem(sys.modules, "torch", _Torch("13.0", None, h200, t4))
    assert current_device() == 1
    assert _gpu_of(detect_environment(current_device())) == _on_t4


def test_a_torch_that_does_not_use_cuda_yet_is_not_made_to(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.has(_h200)
    torch = _Torch("13.0", None)
    torch.cuda.is_initialized = lambda: False
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert current_device() is None
    assert _gpu_of(detect_environment(current_device())) == _on_h200


def _write_node(nodes: Path, number: int, target: int, unique_id: int = 0) -> None:
    node = nodes / str(number)
    node.mkdir(parents=True)
    properties = {"cpu_cores_count": 0, "gfx_target_version": target, "unique_id": unique_id}
    lines = [f"{name} {value}\n" for name, value in properties.items()]
    (node / "properties").write_text("".join(lines))


@pytest.fixture
def amd_machine(machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the kernel tells of its GPUs; node 0 is the CPU."""
    machine.install_torch("2.9.0+rocm6.4", None, "6.4.43484-123eb5128")
    nodes = tmp_path / "nodes"
    monkeypatch.setattr(amd, "_nodes", nodes)
    _write_node(nodes, 0, 0)
    return nodes


def test_rocm_has_labels_of_its_own(amd_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write_node(amd_machine, 2, 90402)
    _write_node(amd_machine, 10, 90010)
    environment = detect_environment()
    assert (environment.extra["rocm"], environment.extra["gfx"]) == (
        "6.4.43484-123eb5128",
        "gfx942",
    )
    assert environment.key().startswith("torch-2.9.0_cpu_triton-none_arch-")
    monkeypatch.setenv("HIP_VISIBLE_DEVICES", "1")
    assert detect_environment().extra["gfx"] == "gfx90a"
    monkeypatch.setenv("HIP_VISIBLE_DEVICES", "")
    assert "gfx" not in detect_environment().extra


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"ROCR_VISIBLE_DEVICES": "1"}, "gfx90a"),
        ({"ROCR_VISIBLE_DEVICES": "1,0", "HIP_VISIBLE_DEVICES": "1"}, "gfx942"),
        ({"ROCR_VISIBLE_DEVICES": "GPU-00000000000000ab"}, "gfx90a"),
        ({"HSA_OVERRIDE_GFX_VERSION": "10.3.0"}, "gfx1030"),
        ({"HSA_OVERRIDE_GFX_VERSION": "9.0.10"}, "gfx90a"),
    ],
)
def test_what_rocm_goes_by(
    amd_machine: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    expected: str,
) -> None:
    _write_node(amd_machine, 1, 90402, 0x12)
    _write_node(amd_machine, 2, 90010, 0xAB)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert detect_environment().extra["gfx"] == expected
    monkeypatch.setenv("ROCR_VISIBLE_DEVICES", "")
    assert "gfx" not in detect_environment().extra


@pytest.mark.usefixtures("amd_machine")
def test_rocm_is_asked_where_it_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    mi300 = types.SimpleNamespace(name="AMD Instinct MI300X", gcnArchName="gfx942:sramecc+:xnack-")
    torch = _Torch(None, "6.4.43484-123eb5128", mi300, mi300)
    monkeypatch.setitem(sys.modules, "torch", torch)
    with_torch = detect_environment(current_device())
    assert with_torch.extra["gfx"] == "gfx942"
    assert "gpu" not in with_torch.extra


def test_rocm_without_a_gpu_is_a_cpu_s(amd_machine: Path) -> None:
    assert amd_machine.exists()
    assert "rocm" not in detect_environment().extra
