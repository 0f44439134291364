"""Which directories this process sees, for a daemon that may see others at the same paths."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Union

from compilecache._base.identity import identity_of, source_identity_of
from compilecache.v1 import cache_service_pb2 as pb

if TYPE_CHECKING:
    from compilecache.exceptions import CacheServiceError

SeenRequest = Union[
    pb.LoadRequest,
    pb.SaveRequest,
    pb.GetCacheInfoRequest,
    pb.ClearLocalCacheRequest,
    pb.StartTransferRequest,
]

_most_attempts = 3
_near = re.compile(r"(unix|unix-abstract):.*|(localhost|127\.[\d.]+|\[::1\]):\d+", re.DOTALL)


class Sight:
    """What one call's process sees, told in its request.

    Only a daemon of this machine, which may be in another container, is told: one of another
    machine numbers the file systems that both share otherwise.
    """

    def __init__(self, address: str, request: SeenRequest) -> None:
        """Look, when told to, at what `request` names."""
        self._is_near = _near.fullmatch(address) is not None
        self._request = request
        self._attempts = 0

    def look(self) -> bool:
        """Say in the request what is seen now; return whether that is news."""
        self._attempts += 1
        if not self._is_near:
            return False
        before = self._request.SerializeToString(deterministic=True)
        if isinstance(self._request, pb.StartTransferRequest):
            self._request.source_identity = source_identity_of(self._request.source)
            self._request.destination_identity = identity_of(
                self._request.destination, or_above=True
            )
        else:
            self._request.local_dir_identity = identity_of(self._request.local_dir)
        return self._request.SerializeToString(deterministic=True) != before

    def may_have_changed(self, error: CacheServiceError) -> bool:
        """Return whether to look again: another process's load may have put a new directory there.

        Not without end.
        """
        return error.reason == "PATH_NOT_ALLOWED" and self._attempts < _most_attempts
