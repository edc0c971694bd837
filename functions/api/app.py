"""api: what was found, for people who are signed in; and the page that shows it.

Trigger: the HTTP API. API Gateway lets /api/... through with an access token of the user pool only; the page's own
files and openapi.json, which says what each route takes and gives, are public. Environment: AUDIO_TRANSFER, CLIENT_ID,
HIGHLIGHTS_TABLE, MEDIA_BUCKET, RECORDINGS_TABLE, RESULTS_BUCKET, SIGN_IN_URL, SUBMIT_QUEUE_URL, SWEEP_FUNCTION.
"""

from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.utilities.typing import LambdaContext
from page import Page

from audio_highlights.config import variable
from audio_highlights.observability import function_logger
from audio_highlights.storage import origin_of

HERE = Path(__file__).parent

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


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request."""
    return app.resolve(event, context)
