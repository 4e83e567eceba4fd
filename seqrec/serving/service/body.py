"""The body of a request, read within its limits."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from seqrec.serving.service.forms import Refused
from seqrec.serving.service.limits import Limits


async def body_of(request: Request, limits: Limits) -> bytearray:
    """All of the body.

    Raises:
        Refused: not declared as JSON (415), too long (413), or not there in time (408).
        starlette.requests.ClientDisconnect: nobody waits for an answer any more.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":  # which also keeps pages of other origins from asking without permission
        raise Refused(415, "the content type must be application/json")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > limits.body_bytes:
        raise _too_long(limits)
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for part in request.stream():
                body += part
                if len(body) > limits.body_bytes:
                    raise _too_long(limits)
    except TimeoutError:
        raise Refused(408, f"the body did not arrive within {limits.body_seconds:g} seconds", closes=True) from None
    return body


def _too_long(limits: Limits) -> Refused:
    return Refused(413, f"the body has more than {limits.body_bytes} bytes", closes=True)
