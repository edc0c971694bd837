"""Recordings that tests make: any container and codec that PyAV can write, and WAV headers that lie."""

import struct
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from local.engine.audio import SAMPLE_RATE

type Samples = NDArray[np.int16]
PICTURE_RATE = 25


class Form(NamedTuple):
    """How a recording is written; the layout is FFmpeg's name for the channels."""

    container: str
    codec: str
    rate: int
    layout: str = "mono"
    video: str | None = None


def encode(path: Path, samples: Samples, form: Form) -> Path:
    """Write 16 kHz samples to a media file, under a black picture if a video codec is named."""
    container, codec, rate, layout, video = form
    with av.open(str(path), "w", format=container) as target:
        pictures = target.add_stream(video, rate=PICTURE_RATE) if video else None
        sound = target.add_stream(codec, rate=rate, layout=layout)
        assert isinstance(sound, av.AudioStream)
        if codec == "vorbis":
            sound.codec_context.options = {"strict": "experimental"}
        if codec.startswith("wma"):
            sound.codec_context.bit_rate = 128_000
        if isinstance(pictures, av.VideoStream):
            _draw(target, pictures, len(samples) / SAMPLE_RATE)
        _play(target, sound, samples, layout)
    return path


def _draw(target: av.container.OutputContainer, stream: av.VideoStream, seconds: float) -> None:
    stream.width = stream.height = 64
    stream.pix_fmt = "yuv420p"
    for number in range(int(seconds * PICTURE_RATE)):
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, PICTURE_RATE)
        target.mux(stream.encode(frame))
    target.mux(stream.encode(None))


def _play(target: av.container.OutputContainer, stream: av.AudioStream, samples: Samples, layout: str) -> None:
    whole = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    whole.sample_rate = SAMPLE_RATE
    rate = stream.codec_context.sample_rate
    resampler = av.AudioResampler(stream.codec_context.format, layout, rate)
    waiting = av.AudioFifo()
    for frame in resampler.resample(whole) + resampler.resample(None):
        frame.pts = None
        waiting.write(frame)
    size = stream.codec_context.frame_size or 1024
    written = 0
    while part := waiting.read(size) or waiting.read(size, partial=True):
        part.pts, part.time_base = written, Fraction(1, rate)
        written += part.samples
        target.mux(stream.encode(part))
    target.mux(stream.encode(None))


def amiga_8svx(samples: Samples) -> bytes:
    """An 8SVX file of 8 kHz and 8 bits, which PyAV reads but does not write."""
    body = (samples[::2] >> 8).astype(np.int8).tobytes()
    header = struct.pack(">LLLHBBL", len(body), 0, 0, 8000, 1, 0, 0x10000)
    chunks = b"8SVXVHDR" + struct.pack(">L", len(header)) + header + b"BODY" + struct.pack(">L", len(body)) + body
    return b"FORM" + struct.pack(">L", len(chunks)) + chunks


def wav(data: bytes, rate: int = SAMPLE_RATE, channels: int = 1, claimed: int | None = None) -> bytes:
    """A 16-bit WAV file, with any values in its header."""
    size = len(data) if claimed is None else claimed
    frame = 2 * channels
    header = struct.pack("<IHHIIHH", 16, 1, channels, rate, min(rate * frame, 2**32 - 1), min(frame, 65_535), 16)
    riff = struct.pack("<I", min(size + 36, 2**32 - 1))
    return b"RIFF" + riff + b"WAVEfmt " + header + b"data" + struct.pack("<I", size) + data


def likeness(one: Samples, other: Samples) -> float:
    """How alike two recordings are at the best delay between them: 1 is the same, 0 nothing in common."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    size = 1 << (len(a) + len(b)).bit_length()
    correlation = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
    return float(correlation.max() / np.sqrt((a**2).sum() * (b**2).sum()))
