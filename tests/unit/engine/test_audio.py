"""Decoding: what has sound gives samples, what has none gives AssemblyAI's error."""

import math
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from local.engine import audio
from local.engine.audio import AudioError, decode, file_type, read_samples
from tests.unit.engine.made_audio import Form, encode, wav

FIXTURES = Path(__file__).parents[2] / "fixtures"
REFUND_SAMPLES = 95_120


def tone(seconds: float, rate: int = 16_000) -> NDArray[np.int16]:
    time = np.arange(int(seconds * rate)) / rate
    return (8000 * np.sin(2 * math.pi * 440 * time)).astype(np.int16)


def write_wav(path: Path, samples: NDArray[np.int16], rate: int = 16_000, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat(samples, channels).tobytes())
    return path


@pytest.mark.parametrize("name", ["refund.mp3", "refund.mp4"])
def test_sound_and_film_give_the_same_length(name: str, tmp_path: Path) -> None:
    assert decode(FIXTURES / name, tmp_path / "samples").count == pytest.approx(REFUND_SAMPLES, abs=1600)
    assert read_samples(tmp_path / "samples").std() > 500


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (44_100, 2), (48_000, 6)])
def test_any_rate_and_channels_become_16_khz_mono(rate: int, channels: int, tmp_path: Path) -> None:
    source = write_wav(tmp_path / "tone.wav", tone(2.0, rate), rate, channels)
    assert decode(source, tmp_path / "samples").count == pytest.approx(32_000, abs=400)
    spectrum = np.abs(np.fft.rfft(read_samples(tmp_path / "samples", 8000, 24_000)))
    assert int(np.argmax(spectrum)) == pytest.approx(440, abs=2)


def test_a_16_khz_wav_comes_through_unchanged(tmp_path: Path) -> None:
    samples = tone(0.5)
    decode(write_wav(tmp_path / "tone.wav", samples), tmp_path / "samples")
    assert np.array_equal(read_samples(tmp_path / "samples"), samples)


def test_a_part_can_be_read(tmp_path: Path) -> None:
    samples = tone(0.5)
    decode(write_wav(tmp_path / "tone.wav", samples), tmp_path / "samples")
    assert np.array_equal(read_samples(tmp_path / "samples", 100, 300), samples[100:300])


def test_of_a_file_cut_short_what_is_there_counts(tmp_path: Path) -> None:
    whole = (FIXTURES / "refund.mp3").read_bytes()
    (tmp_path / "half.mp3").write_bytes(whole[: len(whole) // 2])
    assert REFUND_SAMPLES * 0.4 < decode(tmp_path / "half.mp3", tmp_path / "samples").count < REFUND_SAMPLES * 0.6


def test_damage_in_the_middle_does_not_end_it(tmp_path: Path) -> None:
    damaged = bytearray((FIXTURES / "refund.mp3").read_bytes())
    damaged[20_000:22_000] = b"\xff" * 2000
    (tmp_path / "damaged.mp3").write_bytes(damaged)
    assert decode(tmp_path / "damaged.mp3", tmp_path / "samples").count > REFUND_SAMPLES * 0.8


def silent_film(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for index in range(5):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 5)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


NO_AUDIO = "Transcoding failed. File does not appear to contain audio. File type is {}."


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<!DOCTYPE html><p>Not here</p>", "text/html (HTML document, ASCII text)"),
        (b"just words\n" * 50, "text/plain (ASCII text)"),
        ("nur Wörter\n".encode() * 50, "text/plain (UTF-8 Unicode text)"),
        (bytes(range(256)) * 40, "application/octet-stream (data)"),
        (b"", "inode/x-empty (empty)"),
        (b"\xff\xd8\xff\xe0" + b"x" * 100, "image/jpeg (JPEG image data)"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n/etc/hostname\n#EXT-X-ENDLIST\n", "text/plain (ASCII text)"),
    ],
)
def test_what_has_no_sound_is_named(content: bytes, kind: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(AudioError) as error:
        decode(tmp_path / "file", tmp_path / "samples")
    assert str(error.value) == NO_AUDIO.format(kind)


def test_a_playlist_opens_no_other_file(tmp_path: Path) -> None:
    write_wav(tmp_path / "secret.wav", tone(1.0))
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{tmp_path}/secret.wav\n#EXT-X-ENDLIST\n"
    (tmp_path / "list").write_text(playlist)
    (tmp_path / "concat").write_text(f"ffconcat version 1.0\nfile {tmp_path}/secret.wav\n")
    for name in ("list", "concat"):
        with pytest.raises(AudioError):
            decode(tmp_path / name, tmp_path / "samples")


def test_a_film_without_sound_has_none(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="File type is video/mp4"):
        decode(silent_film(tmp_path / "film.mp4"), tmp_path / "samples")


def test_a_web_form_around_a_file_is_no_audio(tmp_path: Path) -> None:
    head = b'--b0\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\n'
    (tmp_path / "form").write_bytes(head + (FIXTURES / "refund.mp3").read_bytes() + b"\r\n--b0--\r\n")
    with pytest.raises(AudioError, match="does not appear to contain audio"):
        decode(tmp_path / "form", tmp_path / "samples")


def test_less_than_160_ms_is_too_short(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"^Audio duration is too short\.$"):
        decode(write_wav(tmp_path / "short.wav", tone(0.159)), tmp_path / "samples")
    assert decode(write_wav(tmp_path / "enough.wav", tone(0.16)), tmp_path / "samples").count == 2560


@pytest.mark.parametrize(
    ("head", "mime"),
    [(b"%PDF-1.7", "application/pdf"), (b'{"a": 1}', "application/json"), (b"OggS", "application/ogg")],
)
def test_file_types(head: bytes, mime: str) -> None:
    assert file_type(head)[0] == mime


def stereo(path: Path, left: NDArray[np.floating], right: NDArray[np.floating]) -> Path:
    both = np.stack([left, right], axis=1).astype(np.int16)
    path.write_bytes(wav(both.tobytes(), channels=2))
    return path


def noise(seconds: float, seed: int = 1) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, 3000, int(seconds * 16_000))


def power_of(path: Path) -> float:
    return float(np.square(read_samples(path).astype(np.float64)).mean())


@pytest.mark.parametrize("share", [1.0, 0.7])
def test_channels_of_opposite_phase_do_not_vanish(share: float, tmp_path: Path) -> None:
    sound = noise(2.5)
    decode(stereo(tmp_path / "wrong.wav", sound, -share * sound), tmp_path / "samples")
    assert power_of(tmp_path / "samples") == pytest.approx(np.square(sound).mean(), rel=0.01)


def test_two_speakers_on_two_channels_are_both_heard(tmp_path: Path) -> None:
    left, right = noise(2, 1), noise(2, 2)
    decode(stereo(tmp_path / "call.wav", left, right), tmp_path / "samples")
    mixed = read_samples(tmp_path / "samples")
    assert np.corrcoef(mixed, left)[0, 1] == pytest.approx(np.sqrt(0.5), abs=0.05)
    assert np.corrcoef(mixed, right)[0, 1] == pytest.approx(np.sqrt(0.5), abs=0.05)


def test_channels_can_be_kept_apart(tmp_path: Path) -> None:
    left, right = noise(1.5, 1), noise(1.5, 2)
    sound = decode(stereo(tmp_path / "call.wav", left, right), tmp_path / "samples", multichannel=True)
    assert [path.name for path in sound.files] == ["samples.1", "samples.2"]
    assert np.array_equal(read_samples(sound.files[0]), left.astype(np.int16))
    assert np.array_equal(read_samples(sound.files[1]), right.astype(np.int16))


def test_a_very_quiet_recording_is_made_louder_and_a_normal_one_is_not(tmp_path: Path) -> None:
    loud, quiet = noise(2), noise(2) / 200
    (tmp_path / "quiet.wav").write_bytes(wav(quiet.astype(np.int16).tobytes()))
    decode(tmp_path / "quiet.wav", tmp_path / "samples")
    assert power_of(tmp_path / "samples") > 1000 * np.square(quiet).mean()
    (tmp_path / "loud.wav").write_bytes(wav(loud.astype(np.int16).tobytes()))
    decode(tmp_path / "loud.wav", tmp_path / "samples")
    assert np.array_equal(read_samples(tmp_path / "samples"), loud.astype(np.int16))


def test_silence_stays_silence(tmp_path: Path) -> None:
    hiss = np.random.default_rng(1).integers(-1, 2, 32_000, np.int16)
    decode(write_wav(tmp_path / "hiss.wav", hiss), tmp_path / "samples")
    assert np.array_equal(read_samples(tmp_path / "samples"), hiss)


@pytest.mark.parametrize("channels", [3, 16, 64])
def test_many_channels_become_one(channels: int, tmp_path: Path) -> None:
    (tmp_path / "many.wav").write_bytes(wav(np.repeat(tone(0.5), channels).tobytes(), channels=channels))
    assert decode(tmp_path / "many.wav", tmp_path / "samples").count == 8000
    assert np.array_equal(read_samples(tmp_path / "samples"), tone(0.5))


@pytest.mark.parametrize(
    ("rate", "channels"),
    [(0, 1), (1, 1), (1999, 1), (3_100_000, 1), (2**31 - 1, 1), (2**32 - 1, 1), (16_000, 0), (16_000, 65_535)],
)
def test_a_header_beyond_reason_is_no_audio(rate: int, channels: int, tmp_path: Path) -> None:
    (tmp_path / "odd.wav").write_bytes(wav(tone(5).tobytes(), rate, channels))
    with pytest.raises(AudioError, match="does not appear to contain audio"):
        decode(tmp_path / "odd.wav", tmp_path / "samples")


@pytest.mark.parametrize("claimed", [0, 100_000_000, 2**32 - 1])
def test_a_header_may_lie_about_the_size(claimed: int, tmp_path: Path) -> None:
    (tmp_path / "lie.wav").write_bytes(wav(tone(0.5).tobytes(), claimed=claimed))
    assert decode(tmp_path / "lie.wav", tmp_path / "samples").count == 8000


def test_a_header_without_sound_is_no_audio(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").write_bytes(wav(b""))
    with pytest.raises(AudioError, match="does not appear to contain audio"):
        decode(tmp_path / "empty.wav", tmp_path / "samples")


def test_what_is_too_long_ends_before_it_fills_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "LONGEST_S", 2)
    (tmp_path / "long.wav").write_bytes(wav(tone(30).tobytes()))
    with pytest.raises(AudioError, match=r"^Audio duration is too long\.$"):
        decode(tmp_path / "long.wav", tmp_path / "samples")
    assert (tmp_path / "samples").stat().st_size <= 2 * 2 * 16_000


def test_a_film_cut_before_its_index_is_no_audio(tmp_path: Path) -> None:
    whole = (FIXTURES / "refund.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[:200])
    with pytest.raises(AudioError, match="File type is video/mp4"):
        decode(tmp_path / "cut.mp4", tmp_path / "samples")


def test_the_rate_may_change_within_a_file(tmp_path: Path) -> None:
    first = encode(tmp_path / "a.mp3", tone(1), Form("mp3", "mp3", 44_100, "stereo")).read_bytes()
    second = encode(tmp_path / "b.mp3", tone(1), Form("mp3", "mp3", 22_050)).read_bytes()
    (tmp_path / "both.mp3").write_bytes(first + second)
    sound = decode(tmp_path / "both.mp3", tmp_path / "samples", multichannel=True)
    assert sound.count == pytest.approx(32_000, abs=3200)
    assert len(sound.files) == 2
    assert all(path.stat().st_size == 2 * sound.count for path in sound.files)


def test_of_many_streams_one_is_taken(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "many.mka"), "w", format="matroska") as target:
        streams = [target.add_stream("pcm_s16le", rate=16_000, layout="mono") for _ in range(40)]
        frame = av.AudioFrame.from_ndarray(tone(0.5).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = 16_000
        for stream in streams:
            frame.pts = 0
            target.mux(stream.encode(frame))
    assert decode(tmp_path / "many.mka", tmp_path / "samples").count == 8000
