"""One question over HTTP: whatever goes wrong comes out as a `ClearworkError`."""

from typing import Any, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from oracle.adapters.problem import error_of
from oracle.errors import Transient

Answer = TypeVar("Answer")


def ask(http: httpx.Client, url: str, method: str, path: str, **options: Any) -> bytes:
    """The content of an answer. `url`: whom the errors name.

    Raises `Transient` where nobody answers, else what the problem+json of a refusal says.
    """
    try:
        answer = http.request(method, path, **options)
    except httpx.HTTPError as error:
        raise Transient(
            f"{url} does not answer: {error or type(error).__name__}",
            "Check the URL, or ask another one.",
        ) from error
    if answer.is_error:
        raise error_of(answer, url)
    return answer.content


def read(url: str, kind: TypeAdapter[Answer], content: bytes) -> Answer:
    """What an answer says; raises `Transient` for one that is not of this kind."""
    try:
        return kind.validate_json(content)
    except ValidationError as error:
        raise Transient(
            f"{url} answers outside the protocol: {error.error_count()} invalid fields",
            "Check that it runs the same version.",
        ) from error
