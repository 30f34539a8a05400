"""What callers call their rows."""

from collections.abc import Sequence
from typing import Any

from evermodel.contract import LONGEST_CALLER_ID, CallerIds
from evermodel_runtime.serve.captures import CaptureBuffer
from evermodel_runtime.serve.protocol import RequestError


def caller_ids(captures: CaptureBuffer | None, request_id: str | None, ids: Any, rows: int) -> Sequence[str] | None:
    """Return the caller's id of each row; None where there are none, or none are wanted.

    Parameters
    ----------
    captures : CaptureBuffer, optional
        What keeps them.
    request_id : str, optional
        The id of the request: the row's own, where there is but one. Protocols have it for other ends as well, so what
        is no id of a row is passed over.
    ids : object
        What was sent as the rows' ids; None: nothing.
    rows : int
        How many there are.

    Raises
    ------
    RequestError
        ``ids`` are not one for each row, or not accepted: labels sent for them later would be refused.
    """
    accepted = captures is not None and captures.rules.caller_ids is CallerIds.ACCEPT
    if ids is not None:
        if not accepted:
            raise RequestError("this model takes no ids of callers: declare monitoring.capture.callerIds: Accept")
        return _checked(ids, rows)
    if not accepted or rows != 1 or request_id is None or not _is_id(request_id):
        return None
    return (request_id,)


def _checked(ids: Any, rows: int) -> Sequence[str]:
    if not isinstance(ids, list) or len(ids) != rows or not all(map(_is_id, ids)):
        raise RequestError(f"ids must be {rows:,} texts of 1 to {LONGEST_CALLER_ID} characters: one for each row")
    return ids


def _is_id(given: Any) -> bool:
    return isinstance(given, str) and 0 < len(given) <= LONGEST_CALLER_ID
