"""Which files an upload takes, under which keys, and with what metadata."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.header import Header
from pathlib import Path

from audio_highlights.errors import OptionRefused
from audio_highlights.media_type import HEAD_BYTES, not_media
from audio_highlights.options import PREFIX, recording_options
from audio_highlights.uploads import most_bytes
from cli.output import usage
from cli.stack import Stack

_METADATA_BYTES = 2048  # S3's limit for names and values together
_KEY_BYTES = 1024


@dataclass(frozen=True, slots=True)
class File:
    """A file and the key that it gets; `skipped` says why it is not uploaded."""

    path: Path
    key: str
    size_bytes: int
    skipped: str | None = None


def found(paths: Sequence[Path], prefix: str, key: str | None, most: int) -> list[File]:
    """The files named and those in the folders named, in order; a folder's keep their places under its name."""
    if key is not None and (len(paths) != 1 or paths[0].is_dir()):
        message = "--key is for one file; with folders or several files, use --prefix."
        raise usage(message)
    files = [_looked_at(path, prefix + (key or name), most, hidden=hidden) for path, name, hidden in _walk(paths)]
    taken: dict[str, Path] = {}
    for file in files:
        if file.skipped is None and (other := taken.setdefault(file.key, file.path)) != file.path:
            message = f"{other} and {file.path} would both become {file.key}. Upload them apart, each with a --prefix."
            raise usage(message)
    return files


def limit(stack: Stack) -> int:
    """The most bytes that a recording of this stack may have."""
    return most_bytes(stack.audio_transfer)


def metadata(stack: Stack, options: Sequence[str], others: Sequence[str]) -> dict[str, str]:
    """What the objects carry: options as `aai-...`, and other metadata. Raises OptionRefused."""
    asked = {PREFIX + name: text for name, text in _pairs(options, "--option")}
    try:
        recording_options(stack.options, stack.speech_models, asked, {})
    except OptionRefused as refusal:  # here they are typed without the prefix
        raise OptionRefused(str(refusal).replace(PREFIX, "")) from refusal
    carried = dict(_pairs(others, "--metadata"))
    if wrong := [name for name in carried if name.lower().startswith(PREFIX)]:
        message = f"{wrong[0]} is an option: write --option {wrong[0][len(PREFIX) :]}=..."
        raise usage(message)
    sent = {name: _as_header(text) for name, text in (carried | asked).items()}
    size = sum(len(name) + len(text) for name, text in sent.items())
    if size > _METADATA_BYTES:
        message = f"Options and metadata take {size} bytes; S3 carries at most {_METADATA_BYTES} with an object."
        raise usage(message)
    return sent


def _pairs(given: Sequence[str], option: str) -> Iterator[tuple[str, str]]:
    for pair in given:
        name, equals, text = pair.partition("=")
        if not equals or not name.strip() or not name.isascii() or any(one.isspace() for one in name):
            message = f"{option} {pair!r} is not name=value."
            raise usage(message)
        yield name, text


def _as_header(text: str) -> str:
    """As S3 carries what is not ASCII; the pipeline reads it back."""
    if any(not one.isprintable() for one in text):
        message = f"Metadata is one line of text; {text!r} is not."
        raise usage(message)
    return text if text.isascii() else Header(text, "utf-8", maxlinelen=_METADATA_BYTES * 4).encode()


def _walk(paths: Sequence[Path]) -> Iterator[tuple[Path, str, bool]]:
    """Files, each with what its key ends with, and whether it is hidden in a folder. What is named itself never is."""
    for path in paths:
        if not path.exists():
            message = f"{path} does not exist."
            raise usage(message)
        if not path.is_dir():
            yield path, path.name, False
            continue
        root = path.resolve()
        for folder, folders, names in os.walk(root):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                file = Path(folder) / name
                yield file, f"{root.name}/{file.relative_to(root).as_posix()}", name.startswith(".")


def _looked_at(path: Path, key: str, most: int, *, hidden: bool) -> File:
    """The file, and why it is not uploaded, if it surely cannot become highlights."""
    size = 0
    try:
        key.encode()
        size = path.stat().st_size
        with path.open("rb") as file:
            kind = not_media(file.read(HEAD_BYTES))
    except UnicodeEncodeError:
        return File(path, key, size, "its name is not text in UTF-8")
    except OSError as error:
        return File(path, key, size, f"it cannot be read ({error.strerror})")
    reasons: Mapping[str, bool] = {
        "hidden": hidden,
        "empty": size == 0,
        f"its bytes are {kind}": kind is not None,
        f"larger than {most / 1e9:.1f} GB": size > most,
        "its key would be longer than 1,024 bytes": len(key.encode()) > _KEY_BYTES,
    }
    return File(path, key, size, next((why for why, holds in reasons.items() if holds), None))
