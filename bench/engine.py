"""The local engine: how long it listens, what memory that takes, and how long it looks for phrases.

    python -m bench engine
    python -m bench.engine --minutes 60

The second is the same for a recording as long as that, alone; an hour takes a quarter of one.
"""

import itertools
import json
import sys
import tempfile
import time
import wave
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from bench import phrases, recognition
from bench.report import PROJECT, Samples, Say, Table
from local.engine import audio
from local.engine.key_phrases import find_key_phrases
from local.engine.worker import DEFAULT_RECOGNISER

_SAMPLE = PROJECT / "samples" / "support-call.mp3"
_TEXTS = PROJECT / "tests" / "fixtures" / "phrases"
_PROCESSES = 2
_TIMES = (1, 2)  # the sample, and it twice in a row
_RUNS = 3
_WORDS = (1_000, 10_000, 90_000)  # some minutes, an hour, ten


def measure(say: Say) -> Iterable[Table]:
    """Recognise the sample and a recording twice as long; find phrases in texts up to ten hours."""
    return [_listening(_TIMES, say), _finding(say)]


def _listening(times: Sequence[int], say: Say) -> Table:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for count in times:
            recording, text = repeated(Path(folder), count)
            say(f"{count} x the sample call ...")
            result = recognition.measure(recording, text, DEFAULT_RECOGNISER, _PROCESSES)
            cost = result.cost
            seconds = length_of(recording)
            rows.append(
                (
                    f"{seconds:.0f} s",
                    f"{seconds * cost.time:.0f} s",
                    f"{cost.time:.2f}",
                    f"{cost.processor:.2f}",
                    f"{cost.peak_mb:.0f} MB",
                    f"{result.errors:.1%}",
                )
            )
    note = (
        f"The sample call, again and again, by {_PROCESSES} worker processes. Real-time factor: seconds for a second "
        "of recording; the processor's do not depend on who else is at work. Memory: the most that the workers have "
        "held, together, each with its part of the file that it has looked at."
    )
    columns = ("recording", "took", "real-time factor", "processor's", "memory", "words wrong")
    return Table("Engine: listening", columns, rows, note)


def repeated(folder: Path, times: int) -> tuple[Path, Path]:
    """Write the sample so many times in a row, and its text."""
    recording, text = folder / f"{times}.wav", folder / f"{times}.txt"
    audio.decode(_SAMPLE, folder / "samples")
    sound = audio.read_samples(folder / "samples").tobytes()
    with wave.open(str(recording), "wb") as file:
        file.setparams((1, 2, audio.SAMPLE_RATE, 0, "NONE", ""))
        for _ in range(times):
            file.writeframes(sound)
    text.write_text(_SAMPLE.with_suffix(".txt").read_text(encoding="utf-8") * times, encoding="utf-8")
    return recording, text


def length_of(recording: Path) -> float:
    """Seconds of a WAV file."""
    with wave.open(str(recording)) as file:
        return float(file.getnframes() / file.getframerate())


def _finding(say: Say) -> Table:
    texts = sorted(_TEXTS.glob("*.json"))
    read = [json.loads(text.read_text(encoding="utf-8")) for text in texts]
    find_key_phrases([{"text": "ready"}])  # loads the model
    say("key phrases ...")
    agreed = [
        phrases.measure(text.stem, phrases.read_words(content), content["phrases"], _RUNS)
        for text, content in zip(texts, read, strict=True)
    ]
    rows = [
        (
            f"{len(agreed)} texts of {min(one.words for one in agreed)} to {max(one.words for one in agreed)}",
            f"{Samples([one.ms for one in agreed]).text('.0f')} ms",
            "",
        )
    ]
    for count in _WORDS:
        say(f"key phrases of {count:,} words ...")
        words = list(itertools.islice(words_of(read), count))
        took = Samples([_processor_ms(words) for _ in range(_RUNS)])
        rows.append((f"{count:,}", f"{took.median * 1000 / count:.0f} ms", f"{took.median / 1000:.2f} s"))
    note = "Processor time; medians, of the texts with their spread. The long ones are the texts again and again."
    return Table("Engine: key phrases", ("words", "for 1,000 words", "in all"), rows, note)


def words_of(texts: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """The words of the texts, one after the other, without end."""
    start = 0
    for content in itertools.cycle(texts):
        for word in phrases.read_words(content):
            yield {**word, "start": start, "end": start + 300}
            start += 400


def _processor_ms(words: Sequence[dict[str, Any]]) -> float:
    begun = time.process_time()
    find_key_phrases(words)
    return 1000 * (time.process_time() - begun)


def main(minutes: Annotated[int, typer.Option(min=1, help="How long the recording is.")] = 60) -> None:
    """Recognise one long recording, and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        length = length_of(repeated(Path(folder), 1)[0])
    table = _listening([round(60 * minutes / length)], lambda _: None)
    sys.stdout.write(table.markdown())


if __name__ == "__main__":
    typer.run(main)
