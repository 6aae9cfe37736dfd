"""What can go wrong, sorted by what the reader should do about it.

Every error carries `remedy`: one sentence that says what to do. The command line prints it
below the message and exits with `exit_code`; the API sends both as problem+json.
"""


class ClearworkError(Exception):
    """Base of all errors that are expected and explained."""

    exit_code = 1
    http_status = 500

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy

    def __reduce__(self) -> tuple[object, ...]:
        """So that an error raised in a worker process arrives as what it is."""
        return _restore, (type(self), self.args, self.__dict__)


def _restore(
    kind: type[ClearworkError], args: tuple[object, ...], state: dict[str, object]
) -> ClearworkError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class BadInput(ClearworkError):
    """The caller sent something wrong; the same thing will fail again. Nothing was written."""

    exit_code = 2
    http_status = 422


class Unauthorized(BadInput):
    """A signature is missing, malformed, or by somebody who may not say this."""

    http_status = 401


class NotFound(BadInput):
    """There is no such thing here: device, job, epoch, proof."""

    http_status = 404


class Conflict(BadInput):
    """It contradicts something already accepted: a second truth, an expired challenge."""

    http_status = 409


class Bound(Conflict):
    """An oracle has signed something else under the same key, and will never sign a second."""


class Misconfigured(ClearworkError):
    """The operator must change something before this can run: chain id, deployment, funds."""

    exit_code = 3


class Transient(ClearworkError):
    """It may work in a moment: an endpoint is down, a block is missing. Retried by the service."""

    exit_code = 4
    http_status = 503


class Busy(Transient):
    """Too much at once; it will work in `retry_after` seconds or so. Nothing was written."""

    def __init__(self, message: str, remedy: str, retry_after: int) -> None:
        super().__init__(message, remedy)
        self.retry_after = retry_after


class Fatal(ClearworkError):
    """The process must stop and a person must look: a contradicted signature, a broken store."""

    exit_code = 5
