"""Word error rate, time and memory of the local engine's recogniser.

    python -m bench.recognition [RECORDING TEXT]... [--degraded] [--compare FACTORY]... [--processes N]...

Without pairs the sample call is used. TEXT is what is said in RECORDING, as plain text; "Name:" at the start of
a line is no part of it.
"""

import argparse
import asyncio
import itertools
import json
import re
import sys
import tempfile
import time
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import psutil
from numpy.typing import NDArray
from pocketsphinx import Decoder
from rich.console import Console
from rich.progress import track
from rich.table import Table

from local.engine import audio
from local.engine.recogniser import Recogniser, Word
from local.engine.sentences import mean_confidence
from local.engine.worker import DEFAULT_RECOGNISER
from local.engine.workers import Workers

UNTUNED = "untuned"
_SAMPLES = Path(__file__).resolve().parents[1] / "samples"
_SAMPLE = (_SAMPLES / "support-call.mp3", _SAMPLES / "support-call.txt")
_SPEAKER = re.compile(r"^[A-Z]\w*: ", re.MULTILINE)
_NOT_SPOKEN = re.compile(r"[^\w' ]+")
_NOISE_DB = 20
_WIDTH = 130
_TELEPHONE_HZ = (300, 3400)

type Samples = NDArray[np.int16]


@dataclass(frozen=True)
class Cost:
    """What recognising took: time and processor time as parts of the recording's length, and memory."""

    time: float
    processor: float
    peak_mb: float


@dataclass(frozen=True)
class Result:
    """One recording, recognised once: `times_ms` are how far word starts are off, if the truth is known."""

    recording: str
    recogniser: str
    processes: int
    errors: float
    confidence: float
    cost: Cost
    times_ms: tuple[float, float, float] | None


def untuned_recogniser(_: bool) -> Recogniser:
    """Make pocketsphinx as it is out of the box, to compare with; it is given whole recordings."""
    decoder = Decoder(loglevel="FATAL")

    def recognise(samples: Samples, keyterms: Sequence[str] = ()) -> list[Word]:  # noqa: ARG001
        decoder.reinit_feat()
        decoder.start_utt()
        decoder.process_raw(samples.tobytes(), full_utt=True)
        decoder.end_utt()
        return [
            {
                "text": re.sub(r"\(\d+\)$", "", found.word),
                "start": 10 * found.start_frame,
                "end": 10 * (found.end_frame + 1),
                "confidence": float(found.prob),
                "speaker": None,
            }
            for found in decoder.seg() or ()
            if found.word[0].isalpha()
        ]

    return recognise


def telephone(samples: Samples) -> Samples:
    """Leave the band that a telephone carries."""
    spectrum = np.fft.rfft(samples)
    frequencies = np.fft.rfftfreq(len(samples), 1 / audio.SAMPLE_RATE)
    low, high = _TELEPHONE_HZ
    spectrum[(frequencies < low) | (frequencies > high)] = 0
    return _whole(np.fft.irfft(spectrum, len(samples)))


def noisy(samples: Samples) -> Samples:
    """Add white noise, 20 dB below the speech; the same at every run."""
    level = np.sqrt(np.square(samples, dtype=np.float64).mean()) * 10 ** (-_NOISE_DB / 20)
    return _whole(samples + np.random.default_rng(1).normal(0, level, len(samples)))


def _whole(samples: NDArray[np.float64]) -> Samples:
    return np.clip(np.rint(samples), -32_768, 32_767).astype(np.int16)


DEGRADED: dict[str, Callable[[Samples], Samples]] = {"telephone band": telephone, f"noise {_NOISE_DB} dB": noisy}


def normalised(text: str) -> str:
    """What is compared: lower-case words without speakers and marks; numbers stay as they are written."""
    return " ".join(_NOT_SPOKEN.sub(" ", _SPEAKER.sub("", text).lower().replace("\u2019", "'")).split())


def measure(recording: Path, text: Path, recogniser: str, processes: int) -> Result:
    """Recognise a recording with the engine's own worker processes and compare with what is said in it."""
    words, cost = asyncio.run(_recognised(recording, recogniser, processes))
    heard = " ".join(word["text"] for word in words)
    return Result(
        recording=recording.name,
        recogniser=recogniser.rpartition(":")[2].removesuffix("_recogniser"),
        processes=processes,
        errors=jiwer.wer(normalised(text.read_text(encoding="utf-8")), normalised(heard)),
        confidence=mean_confidence(words),
        cost=cost,
        times_ms=_times(words, text.with_suffix(".words.json")),
    )


async def _recognised(recording: Path, recogniser: str, processes: int) -> tuple[list[dict[str, Any]], Cost]:
    factory = "bench.recognition:untuned_recogniser" if recogniser == UNTUNED else recogniser
    workers = Workers(processes, ["--recogniser", factory])
    workers.start()
    try:
        with tempfile.TemporaryDirectory() as directory:
            samples = str(Path(directory) / "samples")
            await asyncio.gather(*(workers.run("key_phrases", []) for _ in range(processes)))  # until they are ready
            children = psutil.Process().children()
            used = _processor_s(children)
            started = time.perf_counter()
            prepared = await workers.run("prepare", str(recording), samples, None, None)
            whole = [[0, prepared["count"], True]]
            segments = whole if recogniser == UNTUNED else prepared["segments"]
            found = await asyncio.gather(
                *(workers.run("recognise", samples, start, stop) for start, stop, _ in segments),
            )
            seconds = time.perf_counter() - started
            length = prepared["count"] / audio.SAMPLE_RATE
            cost = Cost(
                time=seconds / length,
                processor=(_processor_s(children) - used) / length,
                peak_mb=sum(_peak_mb(child.pid) for child in children),
            )
    finally:
        await workers.close()
    return list(itertools.chain.from_iterable(found)), cost


def _processor_s(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def _peak_mb(process_id: int) -> float:
    """The most memory a process ever held, in MB; not a number where the system does not tell."""
    status = Path(f"/proc/{process_id}/status")
    if not status.exists():
        return float("nan")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
    return int(found[1]) / 1024 if found else float("nan")


def _times(words: Sequence[dict[str, Any]], truth: Path) -> tuple[float, float, float] | None:
    """Return how far the starts of rightly heard words are off, in ms: mean, 90th percentile, largest."""
    if not truth.exists() or not words:
        return None
    spoken = json.loads(truth.read_text(encoding="utf-8"))
    aligned = jiwer.process_words(
        " ".join(normalised(word["text"]) for word in spoken),
        " ".join(normalised(word["text"]) for word in words),
    )
    off = [
        abs(spoken[chunk.ref_start_idx + place]["start"] - words[chunk.hyp_start_idx + place]["start"])
        for chunk in aligned.alignments[0]
        if chunk.type == "equal"
        for place in range(chunk.ref_end_idx - chunk.ref_start_idx)
    ]
    return float(np.mean(off)), float(np.percentile(off, 90)), float(max(off))


def degrade(recording: Path, directory: Path) -> list[Path]:
    """Write worse copies of a recording."""
    audio.decode(recording, directory / "samples")
    samples = audio.read_samples(directory / "samples")
    copies = []
    for name, worse in DEGRADED.items():
        copies.append(directory / f"{recording.stem}, {name}.wav")
        with wave.open(str(copies[-1]), "wb") as file:
            file.setparams((1, 2, audio.SAMPLE_RATE, 0, "NONE", ""))
            file.writeframes(worse(samples).tobytes())
    return copies


def table(results: Sequence[Result]) -> Table:
    """Lay the results out, one to a line."""
    made = Table(
        "recording", "recogniser", "processes", "WER", "confidence", "time", "CPU", "peak MB", "starts off, ms"
    )
    for one in results:
        times = "{:.0f}, p90 {:.0f}, most {:.0f}".format(*one.times_ms) if one.times_ms else ""
        made.add_row(
            one.recording,
            one.recogniser,
            str(one.processes),
            f"{one.errors:.1%}",
            f"{one.confidence:.2f}",
            f"{one.cost.time:.3f}",
            f"{one.cost.processor:.3f}",
            f"{one.cost.peak_mb:.0f}",
            times,
        )
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.recognition", description=main.__doc__)
    parser.add_argument("pairs", nargs="*", type=Path, metavar="RECORDING TEXT", help="default: the sample call")
    parser.add_argument("--degraded", action="store_true", help="also a telephone's band, and with noise at 20 dB")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2], metavar="N", help="default: 1 2")
    parser.add_argument(
        "--compare",
        nargs="+",
        default=[],
        metavar="MODULE:FACTORY",
        help=f"other recognisers beside the engine's own; {UNTUNED!r} is pocketsphinx at its defaults on whole files",
    )
    options = parser.parse_args(arguments)
    paths = options.pairs or list(_SAMPLE)
    if len(paths) % 2:
        parser.error("each RECORDING needs its TEXT")
    if missing := [str(path) for path in paths if not path.is_file()]:
        parser.error(f"no such file: {', '.join(missing)}")
    with tempfile.TemporaryDirectory() as directory:
        pairs = list(itertools.batched(paths, 2, strict=True))
        if options.degraded:
            pairs += [(copy, text) for recording, text in pairs for copy in degrade(recording, Path(directory))]
        runs = list(itertools.product(pairs, [DEFAULT_RECOGNISER, *options.compare], options.processes))
        results = [
            measure(recording, text, recogniser, processes)
            for (recording, text), recogniser, processes in track(runs, console=Console(stderr=True), transient=True)
            if recogniser != UNTUNED or processes == 1  # a whole file is one task
        ]
    console = Console()
    console.width = max(console.width, _WIDTH)
    console.print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
