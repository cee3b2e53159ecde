"""S3: a presigned address holds until its time is over; its signature is not looked at.

How both are written is said at
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

__all__ = ["extend_presigned"]

_WEEK_S = 604_800


def extend_presigned() -> None:
    """Refuse addresses whose time is over."""
    from moto.s3.exceptions import S3ClientError
    from moto.s3.responses import S3Response

    respond = S3Response._key_response

    def respond_in_time(response: Any, request: Any, full_url: str) -> Any:
        try:
            end = _end(request.args)
        except (OverflowError, ValueError) as error:
            raise S3ClientError(
                "AuthorizationQueryParametersError",
                "X-Amz-Date must be a date and X-Amz-Expires at most a week in seconds.",
            ) from error
        if end is not None and end < dt.datetime.now(dt.UTC):
            raise S3ClientError("AccessDenied", "Request has expired")
        return respond(response, request, full_url)

    setattr(S3Response, "_key_response", respond_in_time)  # noqa: B010 - moto's type differs


def _end(query: Mapping[str, str]) -> dt.datetime | None:
    """Return when an address ends, None when it is not presigned; ValueError if unreadable."""
    if "X-Amz-Expires" in query:
        seconds = int(query["X-Amz-Expires"])
        if not 0 < seconds <= _WEEK_S:
            raise ValueError(seconds)
        begin = dt.datetime.strptime(query.get("X-Amz-Date", ""), "%Y%m%dT%H%M%S%z")
        return begin + dt.timedelta(seconds=seconds)
    if "Signature" in query and "Expires" in query:
        return dt.datetime.fromtimestamp(int(query["Expires"]), dt.UTC)
    return None
