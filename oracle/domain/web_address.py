"""Addresses of services on the web, as people write them and strangers publish them."""

from pydantic import AnyHttpUrl, TypeAdapter, ValidationError

from oracle.errors import BadInput

_HTTP = TypeAdapter(AnyHttpUrl)


def web_address(text: str) -> str:
    """An http(s) URL without a slash at its end.

    Raises `BadInput` where no connection can be tried, as for a port above 65 535: clients fail in
    many ways there, not all of them as errors of HTTP.
    """
    try:
        _HTTP.validate_python(text)
    except ValidationError as error:
        raise BadInput(
            f"{text!r} is no URL: {error.errors()[0]['msg']}", "Write it like http://127.0.0.1:8100"
        ) from None
    return text.rstrip("/")
