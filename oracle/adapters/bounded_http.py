"""HTTP to servers that may be hostile: an answer has an end, in seconds and in bytes.

The timeouts of httpx are between two bytes, and it reads a body whole: a server that drips, or
never stops sending, would hold its client for as long as it likes. Only where a loop runs can the
whole answer have a deadline, so that callers without one share a loop in a thread of its own.
"""

import asyncio
import threading
from functools import cache
from typing import Any

import httpx

# headers that say how a body was sent, which is over once it is read
_OF_THE_BODY = ("content-encoding", "content-length", "transfer-encoding")


async def whole_answer(
    http: httpx.AsyncClient, method: str, url: str, *, seconds: float, limit: int, **options: Any
) -> httpx.Response:
    """An answer with its whole body, of at most `limit` bytes, within `seconds`.

    Raises `httpx.HTTPError` for every way this can fail; an HTTP status is no failure.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(seconds), http.stream(method, url, **options) as answer:
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > limit:
                    raise httpx.HTTPError(f"{url} sends more than {limit} bytes")
    except TimeoutError as error:
        raise httpx.HTTPError(f"{url} takes longer than {seconds:g} s") from error
    except (httpx.InvalidURL, UnicodeError) as error:
        raise httpx.HTTPError(f"nothing can be asked at {url!r}: {error}") from error
    headers = [each for each in answer.headers.items() if each[0] not in _OF_THE_BODY]
    return httpx.Response(
        answer.status_code, headers=headers, content=bytes(body), request=answer.request
    )


class BoundedClient:
    """The server at `url` for callers without a loop, from any thread."""

    def __init__(self, url: str, seconds: float, limit: int) -> None:
        self._seconds, self._limit = seconds, limit
        self._loop = _shared_loop()
        # between two bytes the deadline holds as well
        self._http = httpx.AsyncClient(base_url=url, timeout=seconds)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """See `whole_answer`."""
        asking = whole_answer(
            self._http, method, path, seconds=self._seconds, limit=self._limit, **options
        )
        return asyncio.run_coroutine_threadsafe(asking, self._loop).result()

    def close(self) -> None:
        """Close the connections."""
        asyncio.run_coroutine_threadsafe(self._http.aclose(), self._loop).result()


@cache
def _shared_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="http", daemon=True).start()
    return loop
