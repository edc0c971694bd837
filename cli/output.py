"""What a command says and where: its result on stdout, all else on stderr; and what its exit code means."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from enum import IntEnum
from typing import Annotated, Any, override

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from typer.core import TyperGroup

from audio_highlights.errors import ApiRefused, HighlightsError, NotNow, OptionRefused, RecordingNotFound, ResultGone
from cli.prices import PricesUnreadable
from cli.stack import StackNotFound

console = Console()
"""For results."""
aside = Console(stderr=True)
"""For progress, questions and what went wrong."""

StackName = Annotated[str, typer.Option("--stack", envvar="STACK_NAME", help="The stack's name.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout, and nothing else.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DEFAULT_STACK = "audio-highlights"


class Exit(IntEnum):
    """Exit codes."""

    FINE = 0
    FAILED = 1  # something failed, is not there, was not done, or is wrong with the stack
    USAGE = 2  # the command cannot be meant so; nothing was done
    IN_VAIN = 3  # waited, and the time was up
    NO_AWS = 4  # no such stack, no credentials, or AWS refuses


class NotFound(Exception):
    """What was named is not there, or is not one thing."""


class Unanswered(Exception):
    """A question was not answered with yes."""


@contextmanager
def told() -> Iterator[None]:
    """Turn what goes wrong into a sentence on stderr and an exit code."""
    try:
        yield
    except (NotFound, Unanswered, PricesUnreadable, RecordingNotFound, ResultGone, NotNow) as trouble:
        _stop(str(trouble), Exit.FAILED)
    except (OptionRefused, ApiRefused) as trouble:
        _stop(str(trouble), Exit.USAGE)
    except TimeoutError as late:
        _stop(str(late), Exit.IN_VAIN)
    except HighlightsError as trouble:
        _stop(str(trouble), Exit.FAILED)
    except StackNotFound as trouble:
        _stop(str(trouble), Exit.NO_AWS)
    except ClientError as error:
        said = error.response.get("Error", {})
        _stop(
            f"AWS refuses {error.operation_name} ({said.get('Code')}): {said.get('Message')} "
            "The command works with your own credentials: they need the right to do this.",
            Exit.NO_AWS,
        )
    except BotoCoreError as error:
        _stop(f"AWS cannot be asked: {error}", Exit.NO_AWS)


def _stop(text: str, code: Exit) -> None:
    aside.print(text, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(code)


class Commands(TyperGroup):
    """Commands whose troubles are told."""

    @override
    def invoke(self, ctx: Any) -> Any:
        with told():
            return super().invoke(ctx)


def say(text: str, style: str | None = None) -> None:
    """Say something beside the result."""
    aside.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def usage(text: str) -> typer.BadParameter:
    """A command that cannot be meant so."""
    return typer.BadParameter(text)


def ask(question: str, *, yes: bool) -> None:
    """Go on only after a yes. Raises Unanswered; without anybody to ask, a usage error."""
    if yes:
        return
    if not sys.stdin.isatty():
        message = "There is nobody to ask here. Say --yes, if you mean it."
        raise usage(message)
    if not typer.confirm(question, err=True):
        message = "Nothing was done."
        raise Unanswered(message)


def document(value: Any) -> None:
    """The result as one JSON document."""
    sys.stdout.write(json.dumps(value, default=_plain, indent=2, ensure_ascii=False) + "\n")


def json_line(value: Any) -> None:
    """One of the results, as a line of JSON, at once."""
    sys.stdout.write(json.dumps(value, default=_plain, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    message = f"{type(value).__name__} is no type of JSON."
    raise TypeError(message)


def readable(text: object) -> str:
    """A text on one line, with nothing in it that moves a cursor."""
    return "".join(character if character.isprintable() else "\ufffd" for character in str(text))
