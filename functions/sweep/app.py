"""sweep: finds the recordings that nobody has told us about in time.

Trigger: a schedule, every five minutes. Environment: API_KEY_SECRET_ARN, ASSEMBLYAI_BASE_URL, HIGHLIGHTS_TABLE,
OVERDUE_MINUTES, RECORDINGS_TABLE, RESULTS_QUEUE_URL.
"""

import time
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from audio_highlights.assemblyai import AssemblyAI
from audio_highlights.config import variable
from audio_highlights.observability import function_logger
from audio_highlights.storage import Ledger, Queue, Secrets
from audio_highlights.workflow import Sweeper

MARGIN_MS = 40_000  # one call to the provider may take as long

logger = function_logger()
secrets = Secrets()
sweeper = Sweeper(
    ledger=Ledger(variable("RECORDINGS_TABLE"), variable("HIGHLIGHTS_TABLE"), lambda: datetime.now(UTC)),
    provider=AssemblyAI(
        variable("ASSEMBLYAI_BASE_URL"),
        lambda fresh: secrets.get(variable("API_KEY_SECRET_ARN"), fresh=fresh),
    ),
    queue=Queue(variable("RESULTS_QUEUE_URL")),
    now=lambda: datetime.now(UTC),
    overdue_seconds=60 * int(variable("OVERDUE_MINUTES")),
)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Sweep until all is looked at or the time is up; the next run goes on from there."""
    until = time.monotonic() + (context.get_remaining_time_in_millis() - MARGIN_MS) / 1000
    counts = sweeper.sweep(until=until)
    logger.info("swept", **counts)
    return counts
