"""The functions' settings, from the environment variables that the template sets."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Self


class AudioTransfer(StrEnum):
    """How the provider gets the audio."""

    PRESIGNED_URL = "presigned-url"
    UPLOAD = "upload"


@dataclass(frozen=True, slots=True)
class SubmitSettings:
    """What `submit` decides by. `webhook_url` is None in poll mode; times are in seconds."""

    speech_models: tuple[str, ...]
    transcript_options: str
    audio_transfer: AudioTransfer
    webhook_url: str | None
    lease_seconds: int
    overdue_seconds: int

    @classmethod
    def from_environment(cls) -> Self:
        """Read SPEECH_MODELS, TRANSCRIPT_OPTIONS, AUDIO_TRANSFER, WEBHOOK_URL, LEASE_SECONDS and OVERDUE_MINUTES."""
        return cls(
            speech_models=tuple(model.strip() for model in variable("SPEECH_MODELS").split(",") if model.strip()),
            transcript_options=variable("TRANSCRIPT_OPTIONS"),
            audio_transfer=AudioTransfer(variable("AUDIO_TRANSFER")),
            webhook_url=os.environ.get("WEBHOOK_URL") or None,
            lease_seconds=int(variable("LEASE_SECONDS")),
            overdue_seconds=60 * int(variable("OVERDUE_MINUTES")),
        )


def utc_now() -> datetime:
    """The time."""
    return datetime.now(UTC)


def variable(name: str) -> str:
    """An environment variable that must be there."""
    try:
        return os.environ[name]
    except KeyError:
        message = f"The environment variable {name} is missing: the function was not deployed with template.yaml."
        raise RuntimeError(message) from None
