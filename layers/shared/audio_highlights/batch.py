"""Handles an SQS batch record by record: one that fails comes again alone, later each time."""

import json
import random
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from aws_lambda_powertools import Logger

from audio_highlights.errors import MalformedMessage, PermanentError, RetryableError

_FIRST_WAIT_SECONDS = 15
_LONGEST_WAIT_SECONDS = 900
_LONGEST_ASKED_SECONDS = 6 * 3600  # SQS hides a message for at most 12 hours

type Record = Mapping[str, Any]
"""A message as Lambda hands it over."""


class Queue(Protocol):
    """The queue that the batch came from; see storage.Queue."""

    def show_again(self, receipt_handle: str, seconds: int) -> None: ...
    def bury(self, text: str) -> None: ...


def answer_batch(
    event: Mapping[str, Any], handle: Callable[[Record], None], logger: Logger, queue: Queue
) -> dict[str, Any]:
    """Call `handle` with each record; the answer names the messages that must come again.

    A failed message comes again after 15 s, then twice as long each time, up to 15 minutes, with some jitter; later
    where the provider asked for it. One that no retry can cure goes to the dead-letter queue at once.
    Every failure is one line with the reason: an expected one as a warning, an unexpected one with its traceback.
    Keys that `handle` appends to the logger last for its record only.
    """

    def come_again(record: Record, not_before: int = 0) -> int | None:
        seconds = max(wait_seconds(receive_count(record)), min(not_before, _LONGEST_ASKED_SECONDS))
        try:
            queue.show_again(record["receiptHandle"], seconds)
        except Exception:
            # Nothing is lost: the message comes again when the queue's own visibility timeout ends.
            logger.exception("the message's visibility could not be changed")
            return None
        return seconds

    def handle_or_bury(record: Record) -> None:
        try:
            handle(record)
        except PermanentError as error:
            logger.error(str(error), error=type(error).__name__)  # noqa: TRY400  the reason says all
            queue.bury(record["body"])

    def is_done(record: Record) -> bool:
        before = set(logger.get_current_keys())
        logger.append_keys(message_id=record["messageId"])
        try:
            handle_or_bury(record)
        except RetryableError as error:
            wait = come_again(record, error.wait_seconds)
            logger.warning(str(error), error=type(error).__name__, next_try_seconds=wait)
            return False
        except Exception:
            logger.exception("unexpected error; the message will come again", next_try_seconds=come_again(record))
            return False
        finally:
            logger.remove_keys(set(logger.get_current_keys()) - before)
        return True

    failed = [record["messageId"] for record in event["Records"] if not is_done(record)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def json_body(record: Record) -> Any:
    """The message's body. Raises MalformedMessage where it is not JSON."""
    try:
        return json.loads(record["body"])
    except (ValueError, RecursionError) as error:
        message = "This message is not JSON."
        raise MalformedMessage(message) from error


def receive_count(record: Record) -> int:
    """How often this message has been received, this time included."""
    return int(record["attributes"]["ApproximateReceiveCount"])


def wait_seconds(receives: int) -> int:
    """How long a message that failed for the n-th time stays hidden."""
    longest: int = min(_FIRST_WAIT_SECONDS * 2 ** min(receives - 1, 10), _LONGEST_WAIT_SECONDS)
    return round(longest * random.uniform(0.8, 1))  # noqa: S311  spreads retries, guards nothing
