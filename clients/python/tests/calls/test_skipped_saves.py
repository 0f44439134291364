"""What the log says of a save that was skipped."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

import pytest

import compilecache
from compilecache import SaveStatus
from compilecache.v1 import cache_service_pb2 as pb
from compilecache.v1 import transfer_pb2

if TYPE_CHECKING:
    import grpc

    from conftest import Serve
    from model import Model

pytestmark = pytest.mark.daemon

_explanations = {
    "ALREADY_STORED": (logging.INFO, "the store holds this cache"),
    "NO_FILES": (logging.INFO, "{local_dir} holds no files that travel"),
    "NOT_LOADED": (
        logging.WARNING,
        "{local_dir} is marked as not loaded: a load or clear of it was interrupted",
    ),
    "TOO_LITTLE_NEW": (
        logging.INFO,
        "{local_dir} holds little or nothing that the stored cache lacks",
    ),
    "TOO_LARGE": (
        logging.WARNING,
        "{local_dir} is over MAX_CACHE_SIZE_MB, MAX_CONTENT_SIZE_MB or MAX_FILE_COUNT of the "
        "daemon, whose log says how far",
    ),
    "UNFINISHED": (
        logging.WARNING,
        "what there is to save in {local_dir} changed, could not be read, or was still written",
    ),
    "UNSPECIFIED": (logging.INFO, "the daemon does not say why"),
}


def test_each_reason_is_known() -> None:
    names = {f"SAVE_SKIP_REASON_{name}" for name in _explanations}
    assert names == set(transfer_pb2.SaveSkipReason.keys())


def _save(caplog: pytest.LogCaptureFixture, **arguments: Any) -> list[tuple[int, str]]:
    """Save what is to be skipped, and return the log of that."""
    caplog.clear()
    caplog.set_level(logging.INFO, "b10_transfer")
    assert compilecache.save_compile_cache(**arguments) == SaveStatus.SKIPPED
    lines = [(record.levelno, record.getMessage()) for record in caplog.records]
    return [(level, re.sub(r"\d+\.\d\d s\)", "N s)", line)) for level, line in lines]


def test_what_was_left_out_is_told_in_one_line(
    model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    model.local.mkdir()
    (model.local / "a.lock").touch()
    assert _save(caplog) == _line("NO_FILES", model)
    (model.local / "triton").symlink_to("/nowhere")
    (model.local / "\udcff").touch()
    told, left_out = _save(caplog)
    assert [told] == _line("NO_FILES", model)
    level, text = left_out
    assert level == logging.WARNING
    assert text.startswith(f"3 files of {model.local} left out: ")
    assert "symbolic links: 1 (triton)" in text
    assert r"names that an archive cannot hold: 1 (\xff)" in text
    assert "locks and temporary files: 1 (a.lock)" in text


def _line(reason: str, model: Model) -> list[tuple[int, str]]:
    level, explanation = _explanations[reason]
    about = f"nothing saved from {model.local} (namespace {model.namespace}, N s)"
    return [(level, f"{about}: {explanation.format(local_dir=model.local)}")]


@pytest.mark.parametrize("reason", _explanations)
def test_the_log_has_one_line_for_each_reason(
    model: Model, serve: Serve, caplog: pytest.LogCaptureFixture, reason: str
) -> None:
    model.local.mkdir()
    outcome = transfer_pb2.SaveOutcome(
        status=transfer_pb2.SAVE_STATUS_SKIPPED,
        skip_reason=transfer_pb2.SaveSkipReason.Value(f"SAVE_SKIP_REASON_{reason}"),
    )
    transfer = transfer_pb2.Transfer(
        kind=transfer_pb2.TRANSFER_KIND_SAVE,
        status=transfer_pb2.TRANSFER_STATUS_SUCCESS,
        save=outcome,
    )
    answer = pb.SaveResponse(
        status=outcome.status, skip_reason=outcome.skip_reason, transfer=transfer
    )

    def skip(request: pb.SaveRequest, context: grpc.ServicerContext) -> pb.SaveResponse:
        return answer

    assert _save(caplog, address=serve(Save=skip)) == _line(reason, model)


def test_the_daemon_says_why(model: Model, caplog: pytest.LogCaptureFixture) -> None:
    [(_, text)] = _save(caplog)
    assert text.endswith(f": {model.local} does not exist here")
    model.local.mkdir()
    assert _save(caplog) == _line("NO_FILES", model)
    model.compile(3)
    marker = model.local / ".compilecache-not-loaded"
    marker.touch()
    assert _save(caplog) == _line("NOT_LOADED", model)
    marker.unlink()
    assert compilecache.save_compile_cache() == SaveStatus.SUCCESS
    assert _save(caplog) == _line("TOO_LITTLE_NEW", model)
    assert _save(caplog, if_stored_exists="skip") == _line("ALREADY_STORED", model)
