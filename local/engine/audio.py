"""Media files of any kind -> 16 kHz mono 16-bit samples, frame by frame, in constant memory."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import av
import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
SHORTEST_MS = 160
LONGEST_S = 10 * 3600

# From the slowest telephone codecs to the fastest one-bit studio formats. What lies outside is a damaged
# header, and resampling it could take any amount of memory.
_LOWEST_RATE = 2000
_HIGHEST_RATE = 3_072_000

# Standard deviations of the loudest second, of full scale. What is quieter than _QUIET is decoded again,
# louder: 16 bits and the search for speech lose too much of it. What is quieter than _NOTHING has no speech.
_QUIET = 0.005
_NOTHING = 0.0001
_LIFTED_TO = 0.07
_LARGEST_GAIN = 100.0

# Of the power that channels without anything in common would give. Less means that they cancel each other.
_CANCELLED = 0.4

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

type _Block = NDArray[np.float32]
"""Channels x samples at 16 kHz, of full scale 1."""

logging.getLogger("libav").setLevel(logging.CRITICAL)


class AudioError(Exception):
    """The file cannot be transcribed; the text is what AssemblyAI says in the transcript's `error`."""


@dataclass
class Sound:
    """What a media file held: files of `count` samples each, one for the mix or one per channel.

    `sample_rate` is the rate of the recording, in Hz. `lost` counts the packets that could not be decoded, and
    `loudest` is the standard deviation of the loudest second, of full scale.
    """

    files: list[Path] = field(default_factory=list)
    count: int = 0
    sample_rate: int = 0
    lost: int = 0
    loudest: float = 0.0


def decode(media: Path, samples: Path, *, multichannel: bool = False) -> Sound:
    """Write the sound of `media` to `samples` as raw little-endian 16-bit mono at 16 kHz.

    With `multichannel` each channel goes to a file of its own, named `samples` and a number from 1. Damaged
    packets are left out; what is whole is kept. Very quiet recordings are made louder.
    Raises AudioError when there is no sound, or less than 160 ms, or more than ten hours of it.
    """
    try:
        sound = _write(media, samples, multichannel=multichannel)
        if sound.count < SHORTEST_MS * SAMPLE_RATE // 1000:
            raise AudioError("Audio duration is too short." if sound.count else _no_audio(media))
        if _NOTHING < sound.loudest < _QUIET:
            gain = min(_LIFTED_TO / sound.loudest, _LARGEST_GAIN)
            sound = _write(media, samples, multichannel=multichannel, gain=gain)
    except (av.FFmpegError, ValueError) as error:
        raise AudioError(_no_audio(media)) from error
    return sound


def _write(media: Path, samples: Path, *, multichannel: bool, gain: float = 1.0) -> Sound:
    sound = Sound()
    with media.open("rb") as source, ExitStack() as opened:
        if _is_multipart_form(source):
            return sound
        targets: list[IO[bytes]] = []
        for block in _seconds(_blocks(source, sound)):
            tracks = block if multichannel else _mix(block)[np.newaxis]
            if not targets:
                sound.files = (
                    [samples.with_name(f"{samples.name}.{number + 1}") for number in range(len(tracks))]
                    if multichannel
                    else [samples]
                )
                targets = [opened.enter_context(path.open("wb")) for path in sound.files]
            sound.count += block.shape[1]
            if sound.count > LONGEST_S * SAMPLE_RATE:
                msg = "Audio duration is too long."
                raise AudioError(msg)
            sound.loudest = max(sound.loudest, float(tracks.std(axis=1).max()))
            for target, track in zip(targets, _whole_numbers(tracks, gain), strict=True):
                target.write(track.tobytes())
    return sound


def _whole_numbers(tracks: _Block, gain: float) -> NDArray[np.int16]:
    scaled = np.rint(tracks * np.float32(gain * 32_768))
    return np.clip(scaled, -32_768, 32_767).astype("<i2")


def _mix(block: _Block) -> _Block:
    """Return one channel: the mean of all, or the loudest where they cancel each other.

    Channels of opposite phase, as from a cable wired wrongly, would leave silence.
    """
    mixed: _Block = block.mean(axis=0)
    if len(block) == 1:
        return mixed
    powers = np.square(block).mean(axis=1)
    if float(np.square(mixed).mean()) < _CANCELLED * float(powers.sum()) / len(block) ** 2:
        loudest: _Block = block[int(powers.argmax())]
        return loudest
    return mixed


def _seconds(blocks: Iterator[_Block]) -> Iterator[_Block]:
    """Regroup blocks to one second each, the last one shorter; all with the channels of the first."""
    held: list[_Block] = []
    size = 0
    channels = 0
    for found in blocks:
        channels = channels or len(found)
        block = _with_channels(found, channels)
        while size + block.shape[1] >= SAMPLE_RATE:
            cut = SAMPLE_RATE - size
            yield np.concatenate([*held, block[:, :cut]], axis=1)
            held, size, block = [], 0, block[:, cut:]
        held.append(block)
        size += block.shape[1]
    if size:
        yield np.concatenate(held, axis=1)


def _with_channels(block: _Block, channels: int) -> _Block:
    if len(block) == channels:
        return block
    if len(block) == 1:
        return np.repeat(block, channels, axis=0)
    if channels == 1:
        return _mix(block)[np.newaxis]
    missing = np.zeros((max(0, channels - len(block)), block.shape[1]), np.float32)
    return np.concatenate([block[:channels], missing])


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


def _blocks(source: IO[bytes], sound: Sound) -> Iterator[_Block]:
    with av.open(source, mode="r", options=_NO_OTHER_FILES) as container:
        stream = container.streams.best("audio")
        if not isinstance(stream, av.AudioStream):
            return
        resampler: av.AudioResampler | None = None
        form: tuple[str, str, int] | None = None
        for frame in _frames(container, stream, sound):
            if not _LOWEST_RATE <= frame.sample_rate <= _HIGHEST_RATE:
                msg = f"a sample rate of {frame.sample_rate} Hz"
                raise ValueError(msg)
            frame.pts = None
            now = (frame.format.name, frame.layout.name, frame.sample_rate)
            if now != form:  # a stream may change its rate or channels half-way; a resampler cannot
                yield from _resampled(resampler, None)
                resampler = av.AudioResampler(format="flt", layout=frame.layout, rate=SAMPLE_RATE)
                form = now
                sound.sample_rate = sound.sample_rate or frame.sample_rate
            yield from _resampled(resampler, frame)
        yield from _resampled(resampler, None)


def _frames(
    container: "av.container.InputContainer",
    stream: "av.AudioStream",
    sound: Sound,
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
            sound.lost += 1


def _resampled(
    resampler: "av.AudioResampler | None",
    frame: "av.AudioFrame | None",
) -> Iterator[_Block]:
    if resampler is None:
        return
    for block in resampler.resample(frame):
        # Interleaved: PyAV loses count of the planes of many channels.
        yield block.to_ndarray().reshape(-1, block.layout.nb_channels).T.astype(np.float32, copy=False)
