"""The GPU that a process works on, and how the environment picks it from the machine's."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Gpu:
    """A GPU: what code for it depends on, and how it can be named."""

    name: str
    """As its maker calls it, for example "NVIDIA H200"."""
    architecture: str
    """Compute capability, such as "9.0", or for AMD a target, such as "gfx942"."""
    uuid: str = ""

    @property
    def model(self) -> tuple[str, str]:
        """What all GPUs of one kind share."""
        return self.name, self.architecture


def first_visible(gpus: list[Gpu], setting: str | None, ordered: bool) -> Gpu | None:
    """Return the GPU that a process sees first, and None where it sees none.

    `setting` is what CUDA_VISIBLE_DEVICES says, or its like; None where it is not set. `ordered`
    tells whether its numbers count in the order of `gpus`; raises LookupError where they do not
    and it matters, and for names that are not of whole GPUs.
    """
    if setting is None:
        return _only_kind(gpus, ordered) if gpus else None
    chosen = _chosen(gpus, setting)
    # The driver shows nothing where one is named twice.
    if not chosen or len(set(chosen)) < len(chosen):
        return None
    by_number = not setting.lstrip().startswith("GPU-")
    return _only_kind(gpus, ordered, chosen[0]) if by_number else gpus[chosen[0]]


def visible(gpus: list[Gpu], setting: str | None) -> list[Gpu]:
    """Return the GPUs that a setting names, in its order; all where there is none."""
    return gpus if setting is None else [gpus[place] for place in _chosen(gpus, setting)]


def visible_setting(*variables: str) -> str | None:
    """Return the first of these variables that is set."""
    return next((os.environ[name] for name in variables if name in os.environ), None)


def _only_kind(gpus: list[Gpu], ordered: bool, index: int = 0) -> Gpu:
    if not ordered and len({gpu.model for gpu in gpus}) > 1:
        raise LookupError("the GPUs are of several kinds, and counted in an order of the driver's")
    return gpus[index]


def _chosen(gpus: list[Gpu], setting: str) -> list[int]:
    """Return the places of the GPUs that are named, up to the first name that is of none."""
    chosen: list[int] = []
    for word in (word.strip() for word in setting.split(",")):
        if word.startswith("MIG-"):
            raise LookupError(f"{word} is a part of a GPU")
        if word.startswith("GPU-"):
            found = [place for place, gpu in enumerate(gpus) if gpu.uuid.startswith(word)]
        else:
            number = re.match(r"\+?\d+", word)
            found = [int(number[0])] if number and int(number[0]) < len(gpus) else []
        if len(found) != 1:
            break
        chosen += found
    return chosen
