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


def error_of(response: httpx.Response, who: str) -> ClearworkError:
    """The error that an answer with status 400 or above stands for; `who` answered it."""
    status = response.status_code
    try:
        problem = response.json()
        title, remedy = str(problem["title"]), str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        title, remedy = f"HTTP {status} without an explanation", "look at its log"
    retry_after = response.headers.get("Retry-After", "")
    if status == 503 and retry_after.isdecimal():
        return Busy(f"{who}: {title}", remedy, min(int(retry_after), MAX_RETRY_AFTER))
    kind = _KINDS.get(status, Transient if status >= 500 else BadInput)
    return kind(f"{who}: {title}", remedy)


def error_type(response: httpx.Response) -> str:
    """The name of the error's class, from a type like `urn:clearwork:Conflict`; "" if absent."""
    try:
        return str(response.json()["type"]).rpartition(":")[2]
    except (ValueError, KeyError, TypeError):
        return ""
