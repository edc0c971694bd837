"""api: what was found, for people who are signed in; and the page that shows it.

Trigger: the HTTP API. API Gateway lets /api/... through with an access token of the user pool only; the page's own
files and openapi.json, which says what each route takes and gives, are public. Environment: AUDIO_TRANSFER, CLIENT_ID,
HIGHLIGHTS_TABLE, MEDIA_BUCKET, RECORDINGS_TABLE, RESULTS_BUCKET, SIGN_IN_URL, SUBMIT_QUEUE_URL, SWEEP_FUNCTION.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.utilities.typing import LambdaContext
from page import Page

from audio_highlights.config import variable
from audio_highlights.errors import (
    AnswerTooLarge,
    ApiRefused,
    NotNow,
    NotSignedIn,
    RecordingNotFound,
)
from audio_highlights.observability import function_logger
from audio_highlights.storage import origin_of

HERE = Path(__file__).parent
_STATUS_CODES: Mapping[type[ApiRefused], int] = {
    NotSignedIn: 401,
    RecordingNotFound: 404,
    NotNow: 409,
    AnswerTooLarge: 413,
}
# Of every answer that says nothing else: what people may see is not for a cache.
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

logger = function_logger()
page = Page(
    HERE / "viewer",
    client_id=variable("CLIENT_ID"),
    sign_in_url=variable("SIGN_IN_URL"),
    bucket_origins=[origin_of(variable("MEDIA_BUCKET")), origin_of(variable("RESULTS_BUCKET"))],
)
app = APIGatewayHttpResolver()


@app.get("/")
def index() -> Response[str]:
    """The page."""
    return page.answer("index.html", app.current_event)


@app.get("/viewer/.+")
def file() -> Response[str]:
    """A file of the page."""
    return page.answer(app.current_event.raw_path.removeprefix("/viewer/"), app.current_event)


@app.get("/openapi.json")
def description() -> Response[str]:
    """What the API takes and gives."""
    return Response(200, "application/json", (HERE / "openapi.json").read_text(encoding="utf-8"))


# ---- what is refused, and what goes wrong


def signed_in(app: APIGatewayHttpResolver, next_middleware: NextMiddleware) -> Response[Any]:
    """Let nobody at the data whom API Gateway has not verified: a route opened by mistake gives none."""
    if app.current_event.path.startswith("/api"):
        authorizer = app.current_event.raw_event.get("requestContext", {}).get("authorizer") or {}
        if not (authorizer.get("jwt") or {}).get("claims"):
            message = "Sign in first: the request carries no token of the user pool."
            raise NotSignedIn(message)
    return next_middleware(app)


app.use(middlewares=[signed_in])


@app.exception_handler(ApiRefused)
def refused(refusal: ApiRefused) -> Response[str]:
    """4xx, with what to do about it."""
    return _error(_STATUS_CODES.get(type(refusal), 400), str(refusal))


@app.not_found
def nothing_there(_: NotFoundError) -> Response[str]:
    """404 for what is no route."""
    event = app.current_event
    return _error(404, f"There is no {event.http_method} {event.path}; /openapi.json says what there is.")


@app.exception_handler(Exception)
def went_wrong(error: Exception) -> Response[str]:
    """500, without what only the log may say."""
    logger.error("a request went wrong", exc_info=error)
    request_id = app.lambda_context.aws_request_id
    return _error(500, f"Something went wrong here. Try again; the log of `api` has it under {request_id}.")


def _error(status_code: int, message: str) -> Response[str]:
    return Response(status_code, "application/json", json.dumps({"error": message}))


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request."""
    answer = app.resolve(event, context)
    return {**answer, "headers": _HEADERS | answer["headers"]}
