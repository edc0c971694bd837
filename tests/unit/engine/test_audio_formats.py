"""Every container and codec of AssemblyAI's list that PyAV can write is read back: same length, same sound."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from local.engine.audio import SAMPLE_RATE, decode, read_samples
from tests.unit.engine.made_audio import amiga_8svx, encode, likeness

FIXTURES = Path(__file__).parents[2] / "fixtures"

# File name as on AssemblyAI's list, container, codec, sample rate, layout, video codec.
FORMATS: Sequence[tuple[str | int, ...]] = (
    ("a.3ga", "3gp", "aac", 16_000),
    ("a.aac", "adts", "aac", 44_100),
    ("a.ac3", "ac3", "ac3", 48_000),
    ("a.aiff", "aiff", "pcm_s16be", 44_100),
    ("a.alac", "ipod", "alac", 44_100),
    ("a.au", "au", "pcm_mulaw", 8000),
    ("a.caf", "caf", "pcm_s16le", 44_100),
    ("a.eac3", "eac3", "eac3", 48_000),
    ("a.flac", "flac", "flac", 44_100),
    ("a.flv", "flv", "mp3", 44_100),
    ("nellymoser.flv", "flv", "nellymoser", 22_050),
    ("a.g722", "g722", "g722", 16_000),
    ("a.m4a", "ipod", "aac", 44_100),
    ("a.m4b", "ipod", "aac", 22_050),
    ("a.mp2", "mp2", "mp2", 48_000),
    ("a.mp3", "mp3", "mp3", 44_100),
    ("a.mpga", "mp3", "mp3", 16_000, "stereo"),
    ("a.ogg", "ogg", "vorbis", 44_100, "stereo"),
    ("a.oga", "ogg", "flac", 44_100),
    ("a.opus", "ogg", "opus", 48_000),
    ("a.tta", "tta", "tta", 44_100),
    ("a.voc", "voc", "pcm_s16le", 16_000),
    ("a.wma", "asf", "wmav2", 44_100),
    ("a.wv", "wv", "wavpack", 44_100),
    ("pcm.wav", "wav", "pcm_s16le", 16_000),
    ("8-bit.wav", "wav", "pcm_u8", 16_000),
    ("24-bit.wav", "wav", "pcm_s24le", 96_000),
    ("float.wav", "wav", "pcm_f32le", 44_100),
    ("double.wav", "wav", "pcm_f64le", 44_100),
    ("alaw.wav", "wav", "pcm_alaw", 8000),
    ("mulaw.wav", "wav", "pcm_mulaw", 8000),
    ("adpcm-ms.wav", "wav", "adpcm_ms", 22_050),
    ("adpcm-ima.wav", "wav", "adpcm_ima_wav", 22_050),
    ("g726.wav", "wav", "g726", 8000),
    ("surround.wav", "wav", "pcm_s16le", 48_000, "5.1"),
    ("a.w64", "w64", "pcm_s16le", 16_000),
    ("a.avi", "avi", "mp3", 44_100, "stereo", "mpeg4"),
    ("a.m2ts", "mpegts", "ac3", 48_000, "5.1", "mpeg2video"),
    ("a.m4v", "mp4", "aac", 48_000, "mono", "h264"),
    ("a.mkv", "matroska", "opus", 48_000, "stereo", "h264"),
    ("a.mov", "mov", "pcm_s16be", 48_000, "mono", "mpeg4"),
    ("a.mp4", "mp4", "aac", 48_000, "stereo", "mpeg4"),
    ("a.mts", "mpegts", "mp2", 48_000, "stereo", "mpeg2video"),
    ("a.mxf", "mxf", "pcm_s16le", 48_000, "mono", "mpeg2video"),
    ("a.ts", "mpegts", "aac", 48_000),
    ("a.webm", "webm", "opus", 48_000, "mono", "vp8"),
    ("a.wmv", "asf", "wmav2", 44_100, "stereo", "wmv2"),
)


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> NDArray[np.int16]:
    target = tmp_path_factory.mktemp("decoded") / "samples"
    decode(FIXTURES / "refund.mp3", target)
    return read_samples(target)


def check(media: Path, speech: NDArray[np.int16], tmp_path: Path) -> None:
    sound = decode(media, tmp_path / "samples")
    # Codecs add up to a tenth of a second of padding; MXF drops what is no whole picture.
    assert abs(sound.count - len(speech)) < SAMPLE_RATE // 10
    assert sound.lost == 0
    assert likeness(speech, read_samples(tmp_path / "samples")) > 0.97


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form[0])
def test_a_format_is_read(form: tuple[str, str, str, int], speech: NDArray[np.int16], tmp_path: Path) -> None:
    name, *how = form
    check(encode(tmp_path / name, speech, *how), speech, tmp_path)


def test_8svx_is_read(speech: NDArray[np.int16], tmp_path: Path) -> None:
    (tmp_path / "a.8svx").write_bytes(amiga_8svx(speech))
    check(tmp_path / "a.8svx", speech, tmp_path)


def test_a_name_says_nothing(speech: NDArray[np.int16], tmp_path: Path) -> None:
    check(encode(tmp_path / "flac.mp3", speech, "flac", "flac", 16_000), speech, tmp_path)
