"""api: what was found, for people who are signed in; and the page that shows it.

Trigger: the HTTP API. API Gateway lets /api/... through with an access token of the user pool only; the page's own
files and openapi.json, which says what each route takes and gives, are public. Environment: AUDIO_TRANSFER, CLIENT_ID,
FLOW_TABLE, HIGHLIGHTS_TABLE, MEDIA_BUCKET, RECORDINGS_TABLE, RESULTS_BUCKET, SIGN_IN_URL, SUBMIT_QUEUE_URL,
SWEEP_FUNCTION.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.utilities.typing import LambdaContext
from page import Page

from audio_highlights.catalogue import Catalogue
from audio_highlights.config import AudioTransfer, utc_now, variable
from audio_highlights.errors import (
    AnswerTooLarge,
    ApiRefused,
    NotNow,
    NotSignedIn,
    RecordingNotFound,
    RequestUnreadable,
    ResultGone,
)
from audio_highlights.observability import function_logger
from audio_highlights.orders import Orders
from audio_highlights.reading import Reader
from audio_highlights.storage import Ledger, Queue, SweepFunction, Uploads, origins_of
from audio_highlights.uploads import UploadRequest, chance

HERE = Path(__file__).parent
_STATUS_CODES: Mapping[type[ApiRefused], int] = {
    NotSignedIn: 401,
    RecordingNotFound: 404,
    ResultGone: 404,
    NotNow: 409,
    AnswerTooLarge: 413,
}
# Of every answer that says nothing else: what people may see is not for a cache.
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
# What an answer takes after the last query.
_MARGIN_MS = 5000

logger = function_logger()
page = Page(
    HERE / "viewer",
    client_id=variable("CLIENT_ID"),
    sign_in_url=variable("SIGN_IN_URL"),
    bucket_origins=lambda: origins_of(variable("MEDIA_BUCKET"), variable("RESULTS_BUCKET")),
)
reader = Reader(
    Catalogue(variable("RECORDINGS_TABLE"), variable("HIGHLIGHTS_TABLE"), variable("FLOW_TABLE")), now=utc_now
)
audio_transfer = AudioTransfer(variable("AUDIO_TRANSFER"))
uploads = Uploads(variable("MEDIA_BUCKET"))
orders = Orders(
    ledger=Ledger(variable("RECORDINGS_TABLE"), variable("HIGHLIGHTS_TABLE"), utc_now),
    submit_queue=Queue(variable("SUBMIT_QUEUE_URL")),
    sweep=SweepFunction(variable("SWEEP_FUNCTION")),
    logger=logger,
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


# ---- reading


@app.get("/api/recordings")
def list_recordings() -> Response[str]:
    """Recordings of some days."""
    return answered(reader.recordings(parameters()))


@app.get("/api/recordings/<recording_id>")
def get_recording(recording_id: str) -> Response[str]:
    """One recording with its highlights."""
    logger.append_keys(recording_id=recording_id)
    return answered(reader.recording(recording_id))


@app.get("/api/recordings/<recording_id>/export")
def export_recording(recording_id: str) -> Response[str]:
    """A file of the highlights or of the captions."""
    logger.append_keys(recording_id=recording_id)
    file = reader.export(recording_id, parameters())
    return Response(200, file.content_type, file.text, {"Content-Disposition": file.disposition})


@app.get("/api/phrases")
def list_phrases() -> Response[str]:
    """What was said most on some days."""
    remaining = app.lambda_context.get_remaining_time_in_millis
    return answered(reader.phrases(parameters(), time_is_up=lambda: remaining() < _MARGIN_MS))


@app.get("/api/phrases/recordings")
def search_phrase() -> Response[str]:
    """Which recordings say a phrase."""
    return answered(reader.sayings(parameters()))


# ---- what is put in, asked for again, and deleted


@app.post("/api/uploads")
def create_upload() -> Response[str]:
    """Permission to upload one recording."""
    wanted = UploadRequest.from_body(body())
    most_bytes = wanted.check_size(audio_transfer)
    key = wanted.key(utc_now(), chance())
    url, fields = uploads.permit(key, most_bytes=most_bytes, content_type=wanted.content_type)
    logger.info("upload permitted", key=key, user=user())
    return answered({"url": url, "fields": fields, "key": key}, 201)


@app.post("/api/recordings/<recording_id>/retry")
def retry_recording(recording_id: str) -> Response[str]:
    """Submit a failed or ignored recording again."""
    status = orders.retry(recording_id)
    logger.info("asked for again", recording_id=recording_id, user=user())
    return answered({"recording_id": recording_id, "status": status}, 202)


@app.delete("/api/recordings/<recording_id>")
def delete_recording(recording_id: str) -> Response[str]:
    """Delete a recording everywhere."""
    status = orders.delete(recording_id)
    logger.info("deletion asked for", recording_id=recording_id, user=user())
    return answered({"recording_id": recording_id, "status": status}, 202)


def body() -> Any:
    """The body, read as JSON."""
    try:
        return app.current_event.json_body
    except (ValueError, RecursionError) as error:
        message = "The body is not JSON."
        raise RequestUnreadable(message) from error


def user() -> str:
    """Who asks, as the user pool calls them."""
    claims = app.current_event.raw_event["requestContext"]["authorizer"]["jwt"]["claims"]
    return str(claims.get("sub"))


def parameters() -> dict[str, str]:
    """The query as API Gateway has read it; Powertools would cut values at their commas."""
    return app.current_event.raw_event.get("queryStringParameters") or {}


def answered(content: Mapping[str, Any], status_code: int = 200) -> Response[str]:
    """As JSON. DynamoDB's numbers come from JSON numbers: they are written as they were."""
    return Response(status_code, "application/json", json.dumps(content, default=_number))


def _number(value: Any) -> int | float:
    if not isinstance(value, Decimal):
        message = f"{type(value).__name__} is no type of an answer."
        raise TypeError(message)
    return int(value) if value == value.to_integral_value() else float(value)


# ---- what is refused, and what goes wrong


def signed_in(app: APIGatewayHttpResolver, next_middleware: NextMiddleware) -> Response[Any]:
    """Let nobody at the data without an access token that API Gateway has verified.

    It lets no other through, where the route says so: a route opened by mistake gives no data all the same.
    """
    if app.current_event.path.startswith("/api"):
        authorizer = app.current_event.raw_event["requestContext"].get("authorizer") or {}
        claims = (authorizer.get("jwt") or {}).get("claims") or {}
        if claims.get("token_use") != "access":
            message = "Sign in first: the request carries no access token of the user pool."
            raise NotSignedIn(message)
    return next_middleware(app)


app.use(middlewares=[signed_in])


@app.exception_handler(ApiRefused)
def refused(refusal: ApiRefused) -> Response[str]:
    """4xx, with what to do about it."""
    return answered({"error": str(refusal)}, _STATUS_CODES.get(type(refusal), 400))


@app.not_found
def nothing_there(_: NotFoundError) -> Response[str]:
    """404 for what is no route."""
    event = app.current_event
    return answered({"error": f"There is no {event.http_method} {event.path}; /openapi.json says what there is."}, 404)


@app.exception_handler(Exception)
def went_wrong(error: Exception) -> Response[str]:
    """500, without what only the log may say."""
    logger.error("a request went wrong", exc_info=error)
    request_id = app.lambda_context.aws_request_id
    return answered({"error": f"Something went wrong. Try again; the log of `api` has it under {request_id}."}, 500)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request."""
    answer = app.resolve(event, context)
    return {**answer, "headers": _HEADERS | answer["headers"]}
