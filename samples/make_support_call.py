"""Make the sample support call from its text, with two free synthetic voices.

Reads support-call.txt beside this file and writes, beside it too, support-call.mp3 (mono),
support-call-stereo.mp3 (agent left, customer right) and support-call.words.json (when each word is said).
Needs the programs festival (with the voice cmu_us_slt_arctic_hts), flite and ffmpeg.
"""

import json
import math
import re
import shutil
import subprocess
import sys
import tempfile
from array import array
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
TEXT = HERE / "support-call.txt"
MONO = HERE / "support-call.mp3"
STEREO = HERE / "support-call-stereo.mp3"
WORDS = HERE / "support-call.words.json"

AGENT_VOICE = "cmu_us_slt_arctic_hts"  # festival
CUSTOMER_VOICE = "rms"  # flite
PROGRAMS = {
    "festival": "apt-get install festival festvox-us-slt-hts",
    "flite": "apt-get install flite",
    "ffmpeg": "apt-get install ffmpeg",
}

RATE = 22_050  # samples per second, of both files
LOUDNESS = 0.08  # root mean square of every sentence, of full scale
MARGIN = 0.06  # seconds kept before the first and after the last word of a sentence
LEAD = 0.5  # seconds of silence at both ends of the call
TURN_PAUSES = (0.65, 0.6, 0.7)  # seconds between speakers, taken in turn
SENTENCE_PAUSES = (0.4, 0.45, 0.35)  # seconds between sentences of one speaker, taken in turn
FULL_SCALE = 32_767

FESTIVAL_SCRIPT = """
(voice_{voice})
(set! utt (utt.synth (Utterance Text "{text}")))
(utt.save.wave utt "{wave}" 'riff)
(mapcar
 (lambda (word)
  (format t "%f %f\\n" (item.feat word 'word_start) (item.feat word 'word_end)))
 (utt.relation.items utt 'Word))
"""


class SampleError(Exception):
    """Something that the person who runs this must put right."""


class Sentence(NamedTuple):
    """A sentence of the text and who says it."""

    speaker: str
    text: str
    new_turn: bool


class Word(NamedTuple):
    """A word with the seconds at which it starts and ends."""

    text: str
    start: float
    end: float


class Speech(NamedTuple):
    """A spoken sentence: its samples and its words, timed from the first sample."""

    samples: array[int]
    words: list[Word]


def run(*command: str) -> bytes:
    """Run a program and return what it printed."""
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        message = f"{command[0]} failed: {said}"
        raise SampleError(message)
    return done.stdout


def check_programs() -> None:
    """Stop with the names of all missing programs and voices, and how to get them."""
    missing = [f"{name} ({how})" for name, how in PROGRAMS.items() if not shutil.which(name)]
    if missing:
        message = "missing: " + "; ".join(missing)
        raise SampleError(message)
    if AGENT_VOICE not in run("festival", "--batch", "(print (voice.list))").decode():
        message = f"missing: festival's voice {AGENT_VOICE} (apt-get install festvox-us-slt-hts)"
        raise SampleError(message)
    if CUSTOMER_VOICE not in run("flite", "-lv").decode().split():
        message = f"missing: flite's voice {CUSTOMER_VOICE}; Debian's flite has it built in"
        raise SampleError(message)


def read_sentences(text: str) -> list[Sentence]:
    """Split the text, one turn per line, into sentences."""
    sentences = []
    for number, line in enumerate(text.splitlines(), start=1):
        match = re.fullmatch(r"(Agent|Customer): ([A-Za-z',.?! ]+)", line)
        if not match:
            message = f"{TEXT.name}, line {number}: want 'Agent: ...' or 'Customer: ...', in plain words"
            raise SampleError(message)
        speaker, said = match.groups()
        for place, sentence in enumerate(re.split(r"(?<=[.?!]) +", said.strip())):
            sentences.append(Sentence(speaker, sentence, new_turn=place == 0))
    return sentences


def say_with_festival(text: str, wave: Path) -> list[tuple[float, float]]:
    """Speak a sentence as the agent into a file; return the start and end of each word."""
    script = wave.with_suffix(".scm")
    script.write_text(FESTIVAL_SCRIPT.format(voice=AGENT_VOICE, text=text, wave=wave))
    lines = run("festival", "--batch", str(script)).decode().splitlines()
    return [(float(start), float(end)) for start, end in (line.split() for line in lines if line)]


@cache
def sounds_in(word: str) -> int:
    """Count the sounds that flite makes of a word."""
    printed = run("flite", "-voice", CUSTOMER_VOICE, "-ps", "-t", word, "-o", "none").decode()
    return sum(sound != "pau" for sound in printed.split())


def say_with_flite(text: str, wave: Path) -> list[tuple[float, float]]:
    """Speak a sentence as the customer into a file; return the start and end of each word.

    flite prints when each sound ends, not each word, so the sounds are dealt out to the words in order.
    """
    printed = run("flite", "-voice", CUSTOMER_VOICE, "-psdur", "-t", text, "-o", str(wave)).decode()
    sounds = []
    start = 0.0
    for name, moment in (item.split(":") for item in printed.split()):
        end = float(moment)
        if name != "pau":
            sounds.append((start, end))
        start = end
    times = []
    first = 0
    for word in text.split():
        after = first + sounds_in(word)
        if not first < after <= len(sounds):
            break
        times.append((sounds[first][0], sounds[after - 1][1]))
        first = after
    if first != len(sounds):
        message = f"cannot tell where the words are in {text!r}; reword it"
        raise SampleError(message)
    return times


def level(samples: array[int]) -> array[int]:
    """Bring a sentence to the common loudness."""
    power = sum(sample * sample for sample in samples) / max(len(samples), 1)
    gain = LOUDNESS * FULL_SCALE / math.sqrt(power) if power else 0.0
    return array("h", (max(-FULL_SCALE, min(FULL_SCALE, round(sample * gain))) for sample in samples))


def speak(sentence: Sentence, folder: Path) -> Speech:
    """Speak a sentence and cut it to its words, with a small margin."""
    wave = folder / "sentence.wav"
    say = say_with_festival if sentence.speaker == "Agent" else say_with_flite
    times = say(sentence.text, wave)
    texts = sentence.text.split()
    if len(times) != len(texts):
        message = f"{len(texts)} words were written but {len(times)} spoken in {sentence.text!r}; reword it"
        raise SampleError(message)
    raw = run("ffmpeg", "-v", "error", "-i", str(wave), "-ac", "1", "-ar", str(RATE), "-f", "s16le", "-")
    samples = array("h", raw)
    cut_from = max(0.0, times[0][0] - MARGIN)
    cut_to = times[-1][1] + MARGIN
    timed = zip(texts, times, strict=True)
    words = [Word(text, start - cut_from, end - cut_from) for text, (start, end) in timed]
    return Speech(level(samples[round(cut_from * RATE) : round(cut_to * RATE)]), words)


def encode(channels: list[array[int]], rate: str, target: Path, folder: Path) -> None:
    """Write channels of equal length to an MP3 file."""
    raw = folder / "call.raw"
    interleaved = array("h", bytes(2 * len(channels) * len(channels[0])))
    for place, channel in enumerate(channels):
        interleaved[place :: len(channels)] = channel
    raw.write_bytes(interleaved.tobytes())
    source = ("-f", "s16le", "-ar", str(RATE), "-ac", str(len(channels)), "-i", str(raw))
    # joint_stereo 0 keeps the speakers apart
    options = ("-c:a", "libmp3lame", "-b:a", rate, "-joint_stereo", "0", "-bitexact", "-map_metadata", "-1")
    run("ffmpeg", "-v", "error", "-y", *source, *options, str(target))


def make() -> float:
    """Make all the files; return the length of the call in seconds."""
    check_programs()
    turn_pauses, sentence_pauses = cycle(TURN_PAUSES), cycle(SENTENCE_PAUSES)
    tracks = {"Agent": array("h"), "Customer": array("h")}
    timed: list[dict[str, str | int]] = []
    clock = 0.0  # when the last word ended
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for sentence in read_sentences(TEXT.read_text(encoding="utf-8")):
            speech = speak(sentence, folder)
            pause = next(turn_pauses if sentence.new_turn else sentence_pauses) if timed else LEAD
            begin = clock + pause - speech.words[0].start
            track = tracks[sentence.speaker]
            track.frombytes(bytes(2 * (round(begin * RATE) - len(track))))
            track.extend(speech.samples)
            for word in speech.words:
                start, end = round(1000 * (begin + word.start)), round(1000 * (begin + word.end))
                timed.append({"text": word.text, "start": start, "end": end, "speaker": sentence.speaker})
            clock = begin + speech.words[-1].end
        length = round((clock + LEAD) * RATE)
        for track in tracks.values():
            track.frombytes(bytes(2 * (length - len(track))))
        left, right = tracks["Agent"], tracks["Customer"]
        both = array("h", (a + b for a, b in zip(left, right, strict=True)))  # never at the same time
        encode([both], "64k", MONO, folder)
        encode([left, right], "96k", STEREO, folder)
    lines = ",\n".join("  " + json.dumps(word) for word in timed)
    WORDS.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    return length / RATE


def main() -> int:
    """Make the sample, or say what is in the way."""
    try:
        seconds = make()
    except SampleError as error:
        print(f"make_support_call: {error}", file=sys.stderr)
        return 1
    print(f"{MONO.name}, {STEREO.name}, {WORDS.name}: {seconds:.1f} seconds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
