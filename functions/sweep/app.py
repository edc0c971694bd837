"""sweep: heals what nobody else will.

Trigger: two schedules. Every five minutes it looks at the recordings that nobody has told us about in time; once a day,
with {"scan": true}, it looks for uploads whose event never came. And the api function: with {"delete": "<id>"} it does
nothing but delete that recording, if its row says so. Environment: API_KEY_SECRET_ARN, ASSEMBLYAI_BASE_URL, FLOW_TABLE,
HIGHLIGHTS_TABLE, MAX_IN_FLIGHT, MEDIA_BUCKET, OVERDUE_MINUTES, RECORDINGS_TABLE, RESULTS_BUCKET, RESULTS_QUEUE_URL,
SUBMIT_QUEUE_URL.
"""

import time
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from audio_highlights.assemblyai import AssemblyAI
from audio_highlights.config import utc_now, variable
from audio_highlights.deletion import Deleter
from audio_highlights.line import Line
from audio_highlights.observability import function_logger, function_metrics, write_metrics, write_zero
from audio_highlights.storage import Bookmark, Eraser, EventBus, InFlight, Ledger, Queue, Secrets, Shelf
from audio_highlights.tallies import Tallies
from audio_highlights.tally import Tallier
from audio_highlights.workflow import Scanner, Sweeper

MARGIN_MS = 40_000  # one call to the provider may take as long
# Alarms and the dashboard watch these, zero or not. Of the others, as each name is paid for by the hours in which it is
# told of, only what happened is measured; the log line has them all.
WATCHED = ("heartbeat", "stopped", "oldest_at_work_seconds", "in_flight", "waiting", "given_up")

logger = function_logger()
metrics = function_metrics()
secrets = Secrets()
ledger = Ledger(variable("RECORDINGS_TABLE"), variable("HIGHLIGHTS_TABLE"), utc_now)
submit_queue = Queue(variable("SUBMIT_QUEUE_URL"))
in_flight = InFlight(variable("FLOW_TABLE"), int(variable("MAX_IN_FLIGHT")), utc_now)
provider = AssemblyAI(
    variable("ASSEMBLYAI_BASE_URL"),
    lambda fresh: secrets.get(variable("API_KEY_SECRET_ARN"), fresh=fresh),
)
events = EventBus()
tallier = Tallier(Tallies(variable("FLOW_TABLE"), variable("HIGHLIGHTS_TABLE")), utc_now)
deleter = Deleter(
    ledger=ledger,
    provider=provider,
    eraser=Eraser(variable("RESULTS_BUCKET")),
    tallier=tallier,
    events=events,
    now=utc_now,
)
sweeper = Sweeper(
    ledger=ledger,
    provider=provider,
    results_queue=Queue(variable("RESULTS_QUEUE_URL")),
    events=events,
    deleter=deleter,
    line=Line(in_flight=in_flight, rows=ledger, submit_queue=submit_queue, now=utc_now),
    now=utc_now,
    overdue_seconds=60 * int(variable("OVERDUE_MINUTES")),
)
scanner = Scanner(
    ledger=ledger,
    shelf=Shelf(variable("MEDIA_BUCKET")),
    bookmark=Bookmark(variable("FLOW_TABLE")),
    submit_queue=submit_queue,
    now=utc_now,
)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Sweep, scan, and count large days, until all is done or the time is up; the next run goes on from there."""
    if "delete" in event:
        outcome = deleter.delete(event["delete"])
        logger.info(outcome, recording_id=event["delete"])
        return {outcome: 1}
    until = time.monotonic() + (context.get_remaining_time_in_millis() - MARGIN_MS) / 1000
    counts = sweeper.sweep(until=until)
    if event.get("scan") or scanner.is_unfinished():
        counts |= scanner.scan(until=until)
    for name, count in {"heartbeat": 1, **counts}.items():
        if count or name in WATCHED:
            metrics.add_metric(name, "Seconds" if name.endswith("_seconds") else "Count", count)
    write_metrics(metrics)  # no heartbeat of a sweep that failed
    if counts["in_flight"]:
        write_zero("completed", service="results")  # there is work: where nothing else is counted, it stands still
    days_counted = tallier.count(until=until)  # what is left of the time is for what waits best
    logger.info("swept", **counts, days_counted=days_counted)
    return counts
