"""Where else in the store a cache lies that a load did not find."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compilecache._base.background import within
from compilecache._caller.call import ask
from compilecache.logger import logger

if TYPE_CHECKING:
    from compilecache._base.answers import TransferState
    from compilecache._calls.request import CacheRequest

# It only makes a line better, and a large store takes long to list.
_most_seconds = 1.0


def namespaces_that_hold_it(request: CacheRequest, transfer: TransferState) -> list[str]:
    """Return which other namespaces hold a cache of the key that was missed; never raises.

    Asked only where the namespace holds nothing that comes close: it may be another one's name.
    """
    if transfer.outcome != "DOES_NOT_EXIST" or transfer.closest:
        return []
    try:
        answers = within(_most_seconds, lambda: _all_caches(request))
    except Exception as error:
        logger.debug("the other namespaces cannot be looked at: %s", error)
        return []
    return sorted(
        {answer["namespace"] for answer in answers if answer["cache_key"] == transfer.cache_key}
        - {transfer.namespace}
    )


def _all_caches(request: CacheRequest) -> list[dict[str, Any]]:
    everybody = {"namespace": ""}
    address, environment = request.address(), request.environment()
    return list(ask("list_caches", everybody, address, _most_seconds, environment))
