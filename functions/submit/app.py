"""submit: an upload becomes a transcript that AssemblyAI works on.

Trigger: SubmitQueue, EventBridge's "Object Created" events of the media bucket; one failing record does not touch
its neighbours. Environment: API_KEY_SECRET_ARN, ASSEMBLYAI_BASE_URL, AUDIO_TRANSFER, DEAD_LETTER_QUEUE_URL,
FLOW_TABLE, HIGHLIGHTS_TABLE, LEASE_SECONDS, MAX_IN_FLIGHT, OVERDUE_MINUTES, QUEUE_URL, RECORDINGS_TABLE,
SIGNER_ROLE_ARN, SPEECH_MODELS, TRANSCRIPT_OPTIONS, WEBHOOK_SECRET_ARN; WEBHOOK_URL in webhook mode,
STATE_MACHINE_ARN in poll mode.
"""

import os
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from audio_highlights.assemblyai import AssemblyAI
from audio_highlights.batch import Record, answer_batch, json_body, receive_count
from audio_highlights.config import SubmitSettings, utc_now, variable
from audio_highlights.line import Line
from audio_highlights.models import Upload
from audio_highlights.observability import function_logger, function_metrics, write_metrics
from audio_highlights.storage import EventBus, InFlight, Ledger, Media, PollLoop, Queue, Secrets
from audio_highlights.workflow import Submitter

logger = function_logger()
metrics = function_metrics()
secrets = Secrets()
queue = Queue(variable("QUEUE_URL"), variable("DEAD_LETTER_QUEUE_URL"))
ledger = Ledger(variable("RECORDINGS_TABLE"), variable("HIGHLIGHTS_TABLE"), utc_now)
in_flight = InFlight(variable("FLOW_TABLE"), int(variable("MAX_IN_FLIGHT")), utc_now)
state_machine_arn = os.environ.get("STATE_MACHINE_ARN")
submitter = Submitter(
    ledger=ledger,
    media=Media(variable("SIGNER_ROLE_ARN")),
    provider=AssemblyAI(
        variable("ASSEMBLYAI_BASE_URL"),
        lambda fresh: secrets.get(variable("API_KEY_SECRET_ARN"), fresh=fresh),
    ),
    events=EventBus(),
    line=Line(in_flight=in_flight, rows=ledger, submit_queue=queue, now=utc_now),
    settings=SubmitSettings.from_environment(),
    webhook_secret=lambda: secrets.get(variable("WEBHOOK_SECRET_ARN")),
    watch=PollLoop(state_machine_arn) if state_machine_arn else None,
    now=utc_now,
)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Submit every recording of the batch; answers which messages must come again."""
    answer = answer_batch(event, submit_one, logger, queue)
    write_metrics(metrics)
    return answer


def submit_one(record: Record) -> None:
    """Submit one recording."""
    upload = Upload.from_event(json_body(record))
    logger.append_keys(bucket=upload.bucket, key=upload.key)
    sighting = submitter.look(upload)
    logger.append_keys(recording_id=sighting.upload.recording_id)
    outcome, reason = submitter.submit(sighting, redelivered=receive_count(record) > 1)
    metrics.add_metric(outcome.name.lower(), "Count", 1)
    logger.info(outcome, reason=reason)
