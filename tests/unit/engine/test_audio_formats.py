"""Every container and codec of AssemblyAI's list that PyAV can write is read back: same length, same sound."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from local.engine.audio import SAMPLE_RATE, decode, read_samples
from tests.unit.engine.made_audio import Form, amiga_8svx, encode, likeness

FIXTURES = Path(__file__).parents[2] / "fixtures"

# By file names as on AssemblyAI's list.
FORMS = {
    "a.3ga": Form("3gp", "aac", 16_000),
    "a.aac": Form("adts", "aac", 44_100),
    "a.ac3": Form("ac3", "ac3", 48_000),
    "a.aiff": Form("aiff", "pcm_s16be", 44_100),
    "a.alac": Form("ipod", "alac", 44_100),
    "a.au": Form("au", "pcm_mulaw", 8000),
    "a.caf": Form("caf", "pcm_s16le", 44_100),
    "a.eac3": Form("eac3", "eac3", 48_000),
    "a.flac": Form("flac", "flac", 44_100),
    "a.flv": Form("flv", "mp3", 44_100),
    "nellymoser.flv": Form("flv", "nellymoser", 22_050),
    "a.g722": Form("g722", "g722", 16_000),
    "a.m4a": Form("ipod", "aac", 44_100),
    "a.m4b": Form("ipod", "aac", 22_050),
    "a.mp2": Form("mp2", "mp2", 48_000),
    "a.mp3": Form("mp3", "mp3", 44_100),
    "a.mpga": Form("mp3", "mp3", 16_000, "stereo"),
    "a.ogg": Form("ogg", "vorbis", 44_100, "stereo"),
    "a.oga": Form("ogg", "flac", 44_100),
    "a.opus": Form("ogg", "opus", 48_000),
    "a.tta": Form("tta", "tta", 44_100),
    "a.voc": Form("voc", "pcm_s16le", 16_000),
    "a.wma": Form("asf", "wmav2", 44_100),
    "a.wv": Form("wv", "wavpack", 44_100),
    "pcm.wav": Form("wav", "pcm_s16le", 16_000),
    "8-bit.wav": Form("wav", "pcm_u8", 16_000),
    "24-bit.wav": Form("wav", "pcm_s24le", 96_000),
    "float.wav": Form("wav", "pcm_f32le", 44_100),
    "double.wav": Form("wav", "pcm_f64le", 44_100),
    "alaw.wav": Form("wav", "pcm_alaw", 8000),
    "mulaw.wav": Form("wav", "pcm_mulaw", 8000),
    "adpcm-ms.wav": Form("wav", "adpcm_ms", 22_050),
    "adpcm-ima.wav": Form("wav", "adpcm_ima_wav", 22_050),
    "g726.wav": Form("wav", "g726", 8000),
    "surround.wav": Form("wav", "pcm_s16le", 48_000, "5.1"),
    "a.w64": Form("w64", "pcm_s16le", 16_000),
    "a.avi": Form("avi", "mp3", 44_100, "stereo", "mpeg4"),
    "a.m2ts": Form("mpegts", "ac3", 48_000, "5.1", "mpeg2video"),
    "a.m4v": Form("mp4", "aac", 48_000, "mono", "h264"),
    "a.mkv": Form("matroska", "opus", 48_000, "stereo", "h264"),
    "a.mov": Form("mov", "pcm_s16be", 48_000, "mono", "mpeg4"),
    "a.mp4": Form("mp4", "aac", 48_000, "stereo", "mpeg4"),
    "a.mts": Form("mpegts", "mp2", 48_000, "stereo", "mpeg2video"),
    "a.mxf": Form("mxf", "pcm_s16le", 48_000, "mono", "mpeg2video"),
    "a.ts": Form("mpegts", "aac", 48_000),
    "a.webm": Form("webm", "opus", 48_000, "mono", "vp8"),
    "a.wmv": Form("asf", "wmav2", 44_100, "stereo", "wmv2"),
}


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


@pytest.mark.parametrize("name", FORMS)
def test_a_format_is_read(name: str, speech: NDArray[np.int16], tmp_path: Path) -> None:
    check(encode(tmp_path / name, speech, FORMS[name]), speech, tmp_path)


def test_8svx_is_read(speech: NDArray[np.int16], tmp_path: Path) -> None:
    (tmp_path / "a.8svx").write_bytes(amiga_8svx(speech))
    check(tmp_path / "a.8svx", speech, tmp_path)


def test_a_name_says_nothing(speech: NDArray[np.int16], tmp_path: Path) -> None:
    check(encode(tmp_path / "flac.mp3", speech, Form("flac", "flac", 16_000)), speech, tmp_path)
