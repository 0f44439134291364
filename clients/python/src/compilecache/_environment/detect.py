"""The environment of this process, found without importing torch."""

from __future__ import annotations

import os
import sys
from typing import Any

from compilecache._environment.amd import list_amd_gpus
from compilecache._environment.cpu import cpu_capability
from compilecache._environment.cuda import first_cuda_gpu
from compilecache._environment.gpu import Gpu, first_visible, visible, visible_setting
from compilecache._environment.nvml import NvmlError, list_gpus
from compilecache._environment.torch_build import TorchBuild, torch_build, triton_version
from compilecache.environment import Environment


def detect_environment(device: int | None = None) -> Environment:
    """Return the environment of this process and its current device. Takes milliseconds.

    `device` is the current device where CUDA is in use (`current_device`, which counts for the
    thread that calls it); None means the first that the process sees. torch is asked what it knows
    where it is imported; CUDA is never started. Raises CacheValidationError without torch.
    """
    build = torch_build()
    labels = {
        "py": f"{sys.version_info.major}.{sys.version_info.minor}",
        "arch": os.uname().machine,
        "isa": cpu_capability(),
    }
    cuda_version, compute_capability = "", ""
    gpu = _current_gpu(build, device)
    if gpu and build.hip:
        labels.update(rocm=build.hip, gfx=gpu.architecture)
    elif gpu and build.cuda:
        labels.update(gpu=gpu.name)
        cuda_version, compute_capability = build.cuda, gpu.architecture
    return Environment(build.version, cuda_version, compute_capability, triton_version(), labels)


def current_device() -> int | None:
    """Return the number of the calling thread's current device; None where CUDA is not in use."""
    torch: Any = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is None or not hasattr(cuda, "is_initialized") or not cuda.is_initialized():
        return None
    device: int = cuda.current_device()
    return device


def _current_gpu(build: TorchBuild, device: int | None) -> Gpu | None:
    if device is not None:
        return _torch_gpu(build, device)
    if build.hip:
        return _first_amd_gpu()
    return _first_nvidia_gpu() if build.cuda else None


def _torch_gpu(build: TorchBuild, device: int) -> Gpu:
    properties = sys.modules["torch"].cuda.get_device_properties(device)
    if build.hip:
        # After a colon come features that the driver has switched on.
        return Gpu(properties.name, properties.gcnArchName.partition(":")[0])
    return Gpu(properties.name, f"{properties.major}.{properties.minor}")


def _first_nvidia_gpu() -> Gpu | None:
    in_pci_order = os.environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID"
    try:
        gpus, split = list_gpus()
        if not split:
            return first_visible(gpus, visible_setting("CUDA_VISIBLE_DEVICES"), in_pci_order)
    except (NvmlError, LookupError):
        pass
    # Only CUDA knows what it makes of a split GPU, and which of several kinds it puts first.
    return first_cuda_gpu()


def _first_amd_gpu() -> Gpu | None:
    # This variable comes first: the numbers of the other two count the GPUs that it leaves.
    gpus = visible(list_amd_gpus(), visible_setting("ROCR_VISIBLE_DEVICES"))
    return first_visible(gpus, visible_setting("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"), True)
