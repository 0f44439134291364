"""What a compiled artifact depends on, and the keys that stand for it.

The daemon computes the same keys; test/vectors/environment-keys.json holds both to the same rules.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from compilecache.exceptions import FieldViolation, invalid_request

if TYPE_CHECKING:
    from compilecache.v1 import environment_pb2

_component_order = ("torch", "cuda", "cc", "triton")
_reserved_names = {*_component_order, "cpu"}
_label_name = re.compile(r"[a-z][a-z0-9]*")
# As JavaScript reads it: digits and word characters are ASCII, a dot matches no line end.
_torch_build = re.compile(r"\+(cu\d|cpu\b|rocm\d)[^\n\r\u2028\u2029]*\Z", re.ASCII)
_not_in_value = re.compile(r"[^a-z0-9.]+")


@dataclass(frozen=True)
class Environment:
    """What a compiled artifact depends on. Two processes share a cache when their keys agree.

    `torch_version`, such as "2.11.0", is required; a suffix `+cu...`, `+cpu` or `+rocm...` is
    dropped. `cuda_version`, such as "13.0", and `compute_capability`, such as "9.0", go together;
    without them the environment is a CPU's. `extra` holds further labels by name: a lower-case
    letter, then lower-case letters and digits. Nothing is checked before a key is asked for.
    """

    torch_version: str
    cuda_version: str = ""
    compute_capability: str = ""
    triton_version: str = ""
    extra: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)

    def components(self) -> dict[str, str]:
        """Return the components by name, normalised, in the order of the key.

        Without CUDA there is a component `cpu`, which is empty, in place of cuda and cc. Raises
        CacheServiceError INVALID_REQUEST with a violation for each field that is wrong.
        """
        violations: list[FieldViolation] = []

        def refuse(name: str, description: str) -> None:
            violations.append(FieldViolation(f"environment.{name}", description))

        torch = _normalise(_torch_build.sub("", self.torch_version.lower()))
        if not torch:
            refuse("torch_version", "is required, for example 2.11.0")
        cuda = _normalise(self.cuda_version)
        cc = _normalise(self.compute_capability)
        if cuda and not cc:
            refuse("compute_capability", f"is required with cuda_version {_quoted(cuda)}")
        if cc and not cuda:
            refuse("compute_capability", f"needs a cuda_version, but is {_quoted(cc)} without one")

        found = {"torch": torch}
        found.update({"cuda": cuda, "cc": cc} if cuda else {"cpu": ""})
        found["triton"] = _normalise(self.triton_version) or "none"
        for name in sorted(self.extra):
            value = _normalise(self.extra[name])
            label = f"extra[{_quoted(name)}]"
            if not _label_name.fullmatch(name):
                refuse(
                    label,
                    "a label's name is a lower-case letter, then lower-case letters and digits",
                )
            elif name in _reserved_names:
                refuse(label, f"{name} is not free to be a label")
            elif not value:
                refuse(label, "a label's value may not be empty")
            else:
                found[name] = value
        if violations:
            raise invalid_request(violations)
        return found

    def key(self) -> str:
        """Return the environment key: canonical and injective. Raises as `components` does."""
        return "_".join(
            name if name == "cpu" else f"{name}-{value}"
            for name, value in self.components().items()
        )

    def cache_key(self) -> str:
        """Return the first 12 hexadecimal digits of the SHA-256 of the environment key."""
        return hashlib.sha256(self.key().encode()).hexdigest()[:12]

    def differing(self, other: Environment) -> list[str]:
        """Return the names of the components that differ, in the order of the key."""
        mine, theirs = self.components(), other.components()
        labels = (mine.keys() | theirs.keys()) - _reserved_names
        names = [*_component_order, *sorted(labels)]
        return [name for name in names if mine.get(name) != theirs.get(name)]

    def to_message(self) -> environment_pb2.Environment:
        """Return this environment as it is sent."""
        # Here, for a key needs no protobuf.
        from compilecache.v1 import environment_pb2

        return environment_pb2.Environment(
            torch_version=self.torch_version,
            cuda_version=self.cuda_version,
            compute_capability=self.compute_capability,
            triton_version=self.triton_version,
            extra=self.extra,
        )

    @staticmethod
    def from_message(message: environment_pb2.Environment) -> Environment:
        """Return an environment as it was received."""
        return Environment(
            torch_version=message.torch_version,
            cuda_version=message.cuda_version,
            compute_capability=message.compute_capability,
            triton_version=message.triton_version,
            extra=dict(message.extra),
        )


def _normalise(value: str) -> str:
    """Lower case; each run of characters outside `a-z 0-9 .` becomes one `-`."""
    return _not_in_value.sub("-", value.lower())


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
