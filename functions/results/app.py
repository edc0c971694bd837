"""results: a transcript that has ended becomes rows, files and an event.

Trigger: ResultsQueue, {"recording_id", "attempt", "transcript_id"}, with "redacted_audio": true where that is to be
fetched; one failing record does not touch its neighbours. Environment: API_KEY_SECRET_ARN, ASSEMBLYAI_BASE_URL,
DEAD_LETTER_QUEUE_URL, FLOW_TABLE, HIGHLIGHTS_TABLE, MAX_IN_FLIGHT, QUEUE_URL, RECORDINGS_TABLE, RESULTS_BUCKET,
SUBMIT_QUEUE_URL.
"""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from audio_highlights.assemblyai import AssemblyAI
from audio_highlights.batch import Record, answer_batch, json_body, receive_count
from audio_highlights.config import utc_now, variable
from audio_highlights.line import Line
from audio_highlights.models import Finished
from audio_highlights.observability import function_logger, function_metrics, write_metrics
from audio_highlights.storage import EventBus, InFlight, Ledger, Queue, Results, Secrets
from audio_highlights.workflow import Deliverer

logger = function_logger()
metrics = function_metrics()
secrets = Secrets()
queue = Queue(variable("QUEUE_URL"), variable("DEAD_LETTER_QUEUE_URL"))
ledger = Ledger(variable("RECORDINGS_TABLE"), variable("HIGHLIGHTS_TABLE"), utc_now)
in_flight = InFlight(variable("FLOW_TABLE"), int(variable("MAX_IN_FLIGHT")), utc_now)
deliverer = Deliverer(
    ledger=ledger,
    provider=AssemblyAI(
        variable("ASSEMBLYAI_BASE_URL"),
        lambda fresh: secrets.get(variable("API_KEY_SECRET_ARN"), fresh=fresh),
    ),
    results=Results(variable("RESULTS_BUCKET")),
    results_queue=queue,
    events=EventBus(),
    line=Line(in_flight=in_flight, rows=ledger, submit_queue=Queue(variable("SUBMIT_QUEUE_URL")), now=utc_now),
    now=utc_now,
    measure=lambda name, seconds: metrics.add_metric(name, "Seconds", seconds),
)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Deliver every transcript of the batch; answers which messages must come again."""
    answer = answer_batch(event, deliver_one, logger, queue)
    write_metrics(metrics)
    return answer


def deliver_one(record: Record) -> None:
    """Deliver one transcript."""
    finished = Finished.from_body(json_body(record))
    logger.append_keys(**finished.body())
    if finished.redacted_audio:
        outcome, reason = deliverer.keep_redacted_audio(finished)
    else:
        outcome, reason = deliverer.deliver(finished, redelivered=receive_count(record) > 1)
        metrics.add_metric(outcome.name.lower(), "Count", 1)
    logger.info(outcome, reason=reason)
