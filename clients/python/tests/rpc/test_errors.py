from __future__ import annotations

import pickle

from google.rpc.status_pb2 import Status

from compilecache import CacheServiceError, FieldViolation
from compilecache.errors import error_from_status


def test_an_error_survives_pickling() -> None:
    violations = [FieldViolation("namespace", "is too long")]
    error = CacheServiceError("INVALID_ARGUMENT", "INVALID_REQUEST", "no", violations)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is CacheServiceError
    assert vars(copy) == vars(error)


def test_a_status_without_details_has_no_reason() -> None:
    error = error_from_status(Status(code=1, message="stopped"))
    assert (error.code, error.reason, error.message) == ("CANCELLED", None, "stopped")
    assert str(error) == "CANCELLED: stopped"


def test_a_code_that_is_none_is_unknown() -> None:
    assert error_from_status(Status(code=99)).code == "UNKNOWN"
