"""Media files of any kind -> 16 kHz mono 16-bit samples, frame by frame, in constant memory."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import av
import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
SHORTEST_MS = 160
LONGEST_S = 10 * 3600

# FFmpeg reads playlists that name further files or URLs. A recording is one file and never a reason to
# open another, so no protocol is allowed beyond the bytes we hand over.
_NO_OTHER_FILES = {"protocol_whitelist": "none"}

_SNIFFED_BYTES = 4096
_MARKUP = (
    ((b"<!doctype html", b"<html"), "text/html", "HTML document"),
    ((b"<?xml",), "text/xml", "XML 1.0 document"),
)
_SIGNATURES = (
    (b"%PDF-", "application/pdf", "PDF document"),
    (b"\x89PNG\r\n\x1a\n", "image/png", "PNG image data"),
    (b"\xff\xd8\xff", "image/jpeg", "JPEG image data"),
    (b"GIF8", "image/gif", "GIF image data"),
    (b"PK\x03\x04", "application/zip", "Zip archive data"),
    (b"\x1f\x8b", "application/gzip", "gzip compressed data"),
    (b"\x1aE\xdf\xa3", "video/webm", "WebM or Matroska"),
    (b"OggS", "application/ogg", "Ogg data"),
    (b"RIFF", "audio/x-wav", "RIFF data"),
    (b"ID3", "audio/mpeg", "Audio file with ID3"),
)

logging.getLogger("libav").setLevel(logging.CRITICAL)


class AudioError(Exception):
    """The file cannot be transcribed; the text is what AssemblyAI says in the transcript's `error`."""


def decode(media: Path, samples: Path) -> int:
    """Write the sound of `media` to `samples` as raw little-endian 16-bit mono at 16 kHz.

    Damaged packets are left out; what is whole is kept. Returns the number of samples.
    Raises AudioError when there is no sound, or less than 160 ms, or more than ten hours of it.
    """
    count = 0
    try:
        with media.open("rb") as source, samples.open("wb") as target:
            if _is_multipart_form(source):
                raise AudioError(_no_audio(media))
            for block in _blocks(source):
                target.write(block.astype("<i2", copy=False).tobytes())
                count += block.size
                if count > LONGEST_S * SAMPLE_RATE:
                    msg = "Audio duration is too long."
                    raise AudioError(msg)
    except (av.FFmpegError, ValueError) as error:
        raise AudioError(_no_audio(media)) from error
    if count == 0:
        raise AudioError(_no_audio(media))
    if count < SHORTEST_MS * SAMPLE_RATE // 1000:
        msg = "Audio duration is too short."
        raise AudioError(msg)
    return count


def read_samples(path: Path, start: int = 0, stop: int | None = None) -> NDArray[np.int16]:
    """Return samples `start` to `stop` of a file that `decode` wrote."""
    count = -1 if stop is None else stop - start
    return np.fromfile(path, dtype="<i2", count=count, offset=2 * start).astype(np.int16, copy=False)


def file_type(head: bytes) -> tuple[str, str]:
    """MIME type and a short description of a file by its first bytes, as `file(1)` words them."""
    for signature, mime, description in _SIGNATURES:
        if head.startswith(signature):
            return mime, description
    if head[4:8] == b"ftyp":
        return "video/mp4", "ISO Media"
    return _text_type(head) if head else ("inode/x-empty", "empty")


def _text_type(head: bytes) -> tuple[str, str]:
    encoding = _text_encoding(head)
    if encoding is None:
        return "application/octet-stream", "data"
    for openings, mime, description in _MARKUP:
        if head.lstrip().lower().startswith(openings):
            return mime, f"{description}, {encoding}"
    if head.lstrip().startswith((b"{", b"[")):
        return "application/json", "JSON text data"
    return "text/plain", encoding


def _text_encoding(head: bytes) -> str | None:
    if b"\0" in head:
        return None
    if head.isascii():
        return "ASCII text"
    try:
        # The last character may be cut in two by the end of what was read.
        head[:-4].decode() if len(head) == _SNIFFED_BYTES else head.decode()
    except UnicodeDecodeError:
        return None
    return "UTF-8 Unicode text"


def _no_audio(media: Path) -> str:
    with media.open("rb") as source:
        mime, description = file_type(source.read(_SNIFFED_BYTES))
    return f"Transcoding failed. File does not appear to contain audio. File type is {mime} ({description})."


def _is_multipart_form(source: IO[bytes]) -> bool:
    """Whether the bytes are a web form around a file, in which AssemblyAI finds no audio.

    FFmpeg would skip the form's first lines and play the rest.
    """
    head = source.read(1024)
    source.seek(0)
    return head.startswith(b"--") and b"content-disposition: form-data" in head.lower()


def _blocks(source: IO[bytes]) -> Iterator[NDArray[np.int16]]:
    with av.open(source, mode="r", options=_NO_OTHER_FILES) as container:
        if not container.streams.audio:
            return
        stream = container.streams.audio[0]
        resampler: av.AudioResampler | None = None
        form: tuple[str, str, int] | None = None
        for frame in _frames(container, stream):
            frame.pts = None
            now = (frame.format.name, frame.layout.name, frame.sample_rate)
            if now != form:  # a stream may change its rate or channels half-way; a resampler cannot
                yield from _resampled(resampler, None)
                resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
                form = now
            yield from _resampled(resampler, frame)
        yield from _resampled(resampler, None)


def _frames(
    container: "av.container.InputContainer",
    stream: "av.AudioStream",
) -> Iterator["av.AudioFrame"]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):  # the end, or a file cut short: what came before counts
            return
        try:
            yield from packet.decode()
        except av.FFmpegError:
            continue


def _resampled(
    resampler: "av.AudioResampler | None",
    frame: "av.AudioFrame | None",
) -> Iterator[NDArray[np.int16]]:
    if resampler is None:
        return
    for block in resampler.resample(frame):
        yield block.to_ndarray().reshape(-1).astype(np.int16, copy=False)
