"""check: has AssemblyAI finished a transcript?

Trigger: the poll state machine, with {"recording_id", "attempt", "transcript_id"}. Environment: API_KEY_SECRET_ARN,
ASSEMBLYAI_BASE_URL. Answers {"finished": bool}; the state machine decides.
"""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from audio_highlights.assemblyai import AssemblyAI
from audio_highlights.config import variable
from audio_highlights.models import Finished
from audio_highlights.observability import function_logger
from audio_highlights.storage import Secrets
from audio_highlights.workflow import has_ended

logger = function_logger()
secrets = Secrets()
provider = AssemblyAI(
    variable("ASSEMBLYAI_BASE_URL"), lambda fresh: secrets.get(variable("API_KEY_SECRET_ARN"), fresh=fresh)
)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Ask once."""
    asked = Finished.from_body(event)
    finished = has_ended(provider, asked)
    logger.info("finished" if finished else "still open", **asked.body())
    return {"finished": finished}
