"""HTTP errors back into the errors they came from (problem+json, RFC 9457)."""

import httpx

from oracle.errors import (
    BadInput,
    Busy,
    ClearworkError,
    Conflict,
    NotFound,
    Transient,
    Unauthorized,
)

_KINDS: dict[int, type[ClearworkError]] = {
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    408: Transient,
    409: Conflict,
    429: Transient,
}

# seconds that an answer may make us wait at most
MAX_RETRY_AFTER = 60
MAX_DIGITS = 20


def error_of(response: httpx.Response, who: str) -> ClearworkError:
    """The error that an answer with status 400 or above stands for; `who` answered it."""
    status = response.status_code
    try:
        problem = response.json()
        title, remedy = str(problem["title"]), str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        title, remedy = f"HTTP {status} without an explanation", "look at its log"
    seconds = retry_after(response, MAX_RETRY_AFTER)
    if seconds is not None:
        return Busy(f"{who}: {title}", remedy, seconds)
    kind = _KINDS.get(status, Transient if status >= 500 else BadInput)
    return kind(f"{who}: {title}", remedy)


def retry_after(response: httpx.Response, most: int) -> int | None:
    """Seconds after which a 503 asks to be asked again, at most so many; None where it does not."""
    said = response.headers.get("Retry-After", "")
    if response.status_code != 503 or not (said.isascii() and said.isdecimal()):
        return None
    # Python reads no number of thousands of digits
    return min(int(said[:MAX_DIGITS]), most)


def error_type(response: httpx.Response) -> str:
    """The name of the error's class, from a type like `urn:clearwork:Conflict`; "" if absent."""
    try:
        return str(response.json()["type"]).rpartition(":")[2]
    except (ValueError, KeyError, TypeError):
        return ""
