"""Handles an SQS batch record by record: one that fails comes again alone, later each time."""

import json
import random
from collections.abc import Callable
from typing import Any, Protocol

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from audio_highlights.errors import MalformedMessage, PermanentError, RetryableError

_FIRST_WAIT_SECONDS = 15
_LONGEST_WAIT_SECONDS = 900
_LONGEST_ASKED_SECONDS = 6 * 3600  # SQS hides a message for at most 12 hours


class Queue(Protocol):
    """The queue that the batch came from; see storage.Queue."""

    def show_again(self, receipt_handle: str, seconds: int) -> None: ...
    def bury(self, text: str) -> None: ...


def answer_batch(
    event: dict[str, Any],
    context: LambdaContext,
    handle: Callable[[SQSRecord], None],
    logger: Logger,
    queue: Queue,
) -> dict[str, Any]:
    """Call `handle` with each record; the answer names the messages that must come again.

    A failed message comes again after 15 s, then twice as long each time, up to 15 minutes, with some jitter; later
    where the provider asked for it. One that no retry can cure goes to the dead-letter queue at once.
    Every failure is one line with the reason: an expected one as a warning, an unexpected one with its traceback.
    Keys that `handle` appends to the logger last for its record only.
    """

    def come_again(record: SQSRecord, not_before: int = 0) -> int | None:
        seconds = max(wait_seconds(receive_count(record)), min(not_before, _LONGEST_ASKED_SECONDS))
        try:
            queue.show_again(record.receipt_handle, seconds)
        except Exception:
            # Nothing is lost: the message comes again when the queue's own visibility timeout ends.
            logger.exception("the message's visibility could not be changed")
            return None
        return seconds

    def handle_one(record: SQSRecord) -> None:
        before = set(logger.get_current_keys())
        logger.append_keys(message_id=record.message_id)
        try:
            handle(record)
        except PermanentError as error:
            logger.error(str(error), error=type(error).__name__)  # noqa: TRY400  the reason says all
            queue.bury(record.body)
        except RetryableError as error:
            wait = come_again(record, error.wait_seconds)
            logger.warning(str(error), error=type(error).__name__, next_try_seconds=wait)
            raise
        except Exception:
            logger.exception("unexpected error; the message will come again", next_try_seconds=come_again(record))
            raise
        finally:
            logger.remove_keys(set(logger.get_current_keys()) - before)

    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
    return dict(process_partial_response(event, handle_one, processor, context))


def json_body(record: SQSRecord) -> Any:
    """The message's body. Raises MalformedMessage where it is not JSON."""
    try:
        return json.loads(record.body)
    except (ValueError, RecursionError) as error:
        message = "This message is not JSON."
        raise MalformedMessage(message) from error


def receive_count(record: SQSRecord) -> int:
    """How often this message has been received, this time included."""
    return int(record.attributes.approximate_receive_count or 1)


def wait_seconds(receives: int) -> int:
    """How long a message that failed for the n-th time stays hidden."""
    longest: int = min(_FIRST_WAIT_SECONDS * 2 ** min(receives - 1, 10), _LONGEST_WAIT_SECONDS)
    return round(longest * random.uniform(0.8, 1))  # noqa: S311  spreads retries, guards nothing
