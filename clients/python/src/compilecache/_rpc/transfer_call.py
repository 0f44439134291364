"""A Load or Save whose caller learns which transfer it waits for: what both clients share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from compilecache.exceptions import CacheServiceError
from compilecache.v1 import cache_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from compilecache._rpc.settings import ConnectionSettings

_service = pb.DESCRIPTOR.services_by_name["CacheService"].full_name
_Answer = TypeVar("_Answer")
_operation_id_key = "compilecache-operation-id"


def start_transfer_call(
    channel: Any,  # noqa: ANN401 - grpc.Channel and grpc.aio.Channel have no type in common
    settings: ConnectionSettings,
    method: str,
    request: pb.LoadRequest | pb.SaveRequest,
    response_type: type[pb.LoadResponse | pb.SaveResponse],
    timeout_seconds: float | None,
) -> Any:  # noqa: ANN401
    """Start a call whose one answer comes as a stream of one, which on the wire is the same.

    In a unary call, gRPC for Python keeps the initial metadata to itself until the answer is there.
    """
    start = channel.unary_stream(
        f"/{_service}/{method}",
        request_serializer=_serialize,
        response_deserializer=response_type.FromString,
    )
    return start(
        request,
        timeout=settings.call_timeout_seconds(timeout_seconds, None),
        metadata=settings.metadata,
    )


def operation_id_in(metadata: Iterable[tuple[str, str | bytes]] | None) -> str | None:
    """Return the id of the transfer that a call waits for; an older daemon does not send it."""
    for key, value in metadata or ():
        if key == _operation_id_key and isinstance(value, str):
            return value
    return None


def only_answer(answers: Sequence[_Answer]) -> _Answer:
    """Return the one answer of a call; a broken proxy may end a call well without one."""
    if not answers:
        raise CacheServiceError("INTERNAL", None, "the call ended without an answer")
    return answers[0]


def _serialize(request: pb.LoadRequest | pb.SaveRequest) -> bytes:
    return request.SerializeToString()
