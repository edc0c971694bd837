"""Which upload a person is permitted: the key that a file's name becomes, and how large it may be."""

import mimetypes
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from audio_highlights.config import AudioTransfer
from audio_highlights.errors import RequestUnreadable
from audio_highlights.models import MAX_AUDIO_BYTES, MAX_UPLOAD_BYTES

_NAME_CHARACTERS = 255
_KEY_BYTES = 1024  # S3's limit
_SUFFIX_CHARACTERS = 16
# The first two would make folders; S3's upload forms give the third a meaning of its own ("${filename}").
_REPLACED = str.maketrans(dict.fromkeys("/\\$", "_"))
# Controls, lone surrogates, line and paragraph separators; XML, in which S3 lists keys, has no place for the others.
_DROPPED_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
_DROPPED = frozenset("\ufffe\uffff")
_NO_NAMES = frozenset({"", ".", ".."})


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """A file that somebody wants to upload."""

    name: str
    size_bytes: int

    @classmethod
    def from_body(cls, body: object) -> Self:
        """Read {"name", "size_bytes"}. Raises RequestUnreadable, which says what is wrong."""
        match body:
            case {"name": str(name), "size_bytes": int(size_bytes)} if not isinstance(size_bytes, bool):
                pass
            case _:
                message = 'The body must be {"name": the file\'s name, "size_bytes": its size, a whole number}.'
                raise RequestUnreadable(message)
        if not 0 < len(name) <= _NAME_CHARACTERS:
            message = f"name must have 1 to {_NAME_CHARACTERS} characters; this one has {len(name)}."
            raise RequestUnreadable(message)
        return cls(name, size_bytes)

    def key(self, now: datetime, chance: str) -> str:
        """uploads/<day>/<chance>/<name>: no two uploads share one, and people find theirs by its name."""
        folder = f"uploads/{now.date().isoformat()}/{chance}/"
        return folder + _fitting(_clean(self.name), _KEY_BYTES - len(folder))

    @property
    def content_type(self) -> str:
        """What the name says of the content, for players; no type that a browser would run."""
        guessed, _ = mimetypes.guess_type(self.name)
        return guessed if guessed and guessed.startswith(("audio/", "video/")) else "application/octet-stream"

    def check_size(self, transfer: AudioTransfer) -> int:
        """The most bytes that an upload may have. Raises RequestUnreadable where this one has more, or none."""
        limit = most_bytes(transfer)
        if self.size_bytes < 1:
            message = f"The file is empty ({self.size_bytes} bytes): there is nothing to transcribe."
            raise RequestUnreadable(message)
        if self.size_bytes > limit:
            message = (
                f"The file has {self.size_bytes / 1e9:.2f} GB ({self.size_bytes:,} bytes); AssemblyAI takes at most "
                f"{limit / 1e9:.1f} GB ({limit:,} bytes) by {transfer}. Compress or split it."
            )
            raise RequestUnreadable(message)
        return limit


def chance() -> str:
    """Eight hex digits that keep two uploads of a name apart."""
    return secrets.token_hex(4)


def most_bytes(transfer: AudioTransfer) -> int:
    """How large a recording may be that travels to the provider in this way."""
    return MAX_AUDIO_BYTES if transfer is AudioTransfer.PRESIGNED_URL else MAX_UPLOAD_BYTES


def _clean(name: str) -> str:
    kept = "".join(
        character
        for character in unicodedata.normalize("NFC", name).translate(_REPLACED)
        if unicodedata.category(character) not in _DROPPED_CATEGORIES and character not in _DROPPED
    ).strip()
    return "recording" if kept in _NO_NAMES else kept


def _fitting(name: str, most: int) -> str:
    """The name, shortened before its suffix to so many bytes of UTF-8."""
    if len(name.encode()) <= most:
        return name
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(suffix) > _SUFFIX_CHARACTERS:
        stem, dot, suffix = name, "", ""
    room = most - len((dot + suffix).encode())
    return stem.encode()[:room].decode(errors="ignore") + dot + suffix
