"""Errors over HTTP: problem+json (RFC 9457), for every error there is, with what to do."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from oracle.api.schemas import Problem
from oracle.errors import Busy, ClearworkError

MEDIA_TYPE = "application/problem+json"


def explain_errors(app: FastAPI) -> None:
    """Answer every error of the app as problem+json."""

    @app.exception_handler(ClearworkError)
    def expected(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ClearworkError)
        answer = problem(type(error).__name__, str(error), error.http_status, error.remedy)
        if isinstance(error, Busy):
            answer.headers["Retry-After"] = str(error.retry_after)
        return answer

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        found = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
            for item in error.errors()[:8]
        )
        return problem("BadInput", "the request is malformed", 422, found)

    @app.exception_handler(HTTPException)
    def refused(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return problem(
            "BadInput", str(error.detail), error.status_code, "See /docs for what is served here."
        )


def problem(kind: str, title: str, status: int, detail: str) -> JSONResponse:
    """One problem+json answer."""
    body = Problem(type=f"urn:clearwork:{kind}", title=title, status=status, detail=detail)
    return JSONResponse(body.model_dump(), status, media_type=MEDIA_TYPE)


class BodyLimit:
    """Refuses request bodies above a size, announced or not, before anything reads them whole."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        chunks = []
        size = 0
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                break
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self._max_bytes:
                answer = problem(
                    "BadInput",
                    f"the body is larger than {self._max_bytes} bytes",
                    413,
                    "Send smaller batches.",
                )
                await answer(scope, receive, send)
                return
            chunks.append(chunk)
            more = message.get("more_body", False)
        sent = False

        async def replay() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": b"".join(chunks), "more_body": False}

        await self._app(scope, replay, send)
