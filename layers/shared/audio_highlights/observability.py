"""JSON log lines, one per thing that happened, each with the recording it happened to; and counts as metrics."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.logging.types import PowertoolsLogRecord

from audio_highlights.models import without_url_queries


class _NoUrlQueries(LambdaPowertoolsFormatter):
    """Cuts the query off every URL in the finished line, tracebacks included: a presigned query is a password."""

    def serialize(self, log: dict[str, Any] | PowertoolsLogRecord) -> str:
        return without_url_queries(super().serialize(log))


def function_logger() -> Logger:
    """The logger of a function; POWERTOOLS_SERVICE_NAME and POWERTOOLS_LOG_LEVEL set its name and level."""
    return Logger(utc=True, logger_formatter=_NoUrlQueries())


def function_metrics() -> Metrics:
    """The metrics of a function, written as log lines; POWERTOOLS_METRICS_NAMESPACE is the stack's name."""
    return Metrics()
