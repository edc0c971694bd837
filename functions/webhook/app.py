"""webhook: AssemblyAI's news of a transcript becomes a message for `results`.

Trigger: POST /webhook?recording=<id>&attempt=<n> of the HTTP API. Environment: RESULTS_QUEUE_URL, WEBHOOK_SECRET_ARN,
WEBHOOK_SOURCE_IPS.

AssemblyAI gives up after any 4xx, so 4xx is only for what no retry can cure: a wrong source, a wrong binding or a body
that is not its own. Trouble of ours raises, which API Gateway turns into a 5xx.
"""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from audio_highlights.config import variable
from audio_highlights.errors import WebhookForbidden, WebhookRefused, WebhookUnauthorized
from audio_highlights.observability import function_logger, function_metrics, write_metrics
from audio_highlights.storage import Queue, Secrets
from audio_highlights.webhook import networks, read_webhook

_STATUS_CODES: dict[type[WebhookRefused], int] = {WebhookForbidden: 403, WebhookUnauthorized: 401}

logger = function_logger()
metrics = function_metrics()
secrets = Secrets()
results_queue = Queue(variable("RESULTS_QUEUE_URL")).ready()
sources = networks(variable("WEBHOOK_SOURCE_IPS"))


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Verify, enqueue, answer 200."""
    try:
        finished = read_webhook(event, secrets.accepted(variable("WEBHOOK_SECRET_ARN")), sources)
    except WebhookRefused as refusal:
        logger.warning("a webhook call was refused", reason=str(refusal))
        metrics.add_metric("refused", "Count", 1)
        write_metrics(metrics)
        return {"statusCode": _STATUS_CODES.get(type(refusal), 400)}
    if finished is None:
        logger.info("a webhook call that ends no transcript")
        return {"statusCode": 200}
    results_queue.send(finished.body())
    logger.info("finished", **finished.body())
    return {"statusCode": 200}
