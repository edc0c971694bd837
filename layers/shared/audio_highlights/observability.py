"""JSON log lines, one per thing that happened, each with the recording it happened to; and counts as metrics."""

import json
import re
from typing import Any

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.logging.types import PowertoolsLogRecord
from aws_lambda_powertools.metrics import MetricUnit

from audio_highlights.models import without_url_queries


class _SafeLine(LambdaPowertoolsFormatter):
    """Cuts the query off every URL in the finished line, tracebacks included: a presigned query is a password.

    JSON leaves some characters as they are that end a line or move the cursor of whoever reads it: they are escaped.
    """

    def serialize(self, log: dict[str, Any] | PowertoolsLogRecord) -> str:
        return _BEYOND_ASCII.sub(_escaped, without_url_queries(super().serialize(log)))


_BEYOND_ASCII = re.compile(r"[^ -~]")


def _escaped(found: re.Match[str]) -> str:
    character = found.group()
    return character if character.isprintable() else json.dumps(character)[1:-1]


def function_logger() -> Logger:
    """The logger of a function; POWERTOOLS_SERVICE_NAME and POWERTOOLS_LOG_LEVEL set its name and level."""
    return Logger(utc=True, logger_formatter=_SafeLine())


def function_metrics() -> Metrics:
    """The metrics of a function, written as log lines; POWERTOOLS_METRICS_NAMESPACE is the stack's name.

    Their one dimension is the function. An id in a dimension would be a metric per recording, and each is paid for.
    """
    return Metrics()


def write_metrics(metrics: Metrics) -> None:
    """Write what was added, if anything was."""
    if metrics.metric_set:
        metrics.flush_metrics()


def write_zero(name: str, service: str) -> None:
    """Say of another function's metric that nothing is known to have happened, so that silence differs from rest."""
    with single_metric(name=name, unit=MetricUnit.Count, value=0, default_dimensions={"service": service}):
        pass
