"""A worker process: one recogniser, kept warm, doing one task at a time for the server.

Tasks come as lines of JSON on stdin and are answered as lines on stdout. A process of its own, because
decoders are neither thread-safe nor free of Python's lock, and because a file that brings one down must
not bring down the server.
"""

import argparse
import importlib
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from local.engine import audio
from local.engine.key_phrases import find_key_phrases
from local.engine.prepared import Prepared, Span
from local.engine.recogniser import Recogniser, RecogniserFactory
from local.engine.segments import find_segments, find_speech
from local.engine.summaries import summarise

_HARMLESS_CONSTANT = 1000
DEFAULT_RECOGNISER = "local.engine.recogniser:pocketsphinx_recogniser"


def load_recogniser(name: str, *, clean: bool) -> Recogniser:
    """Make the recogniser of the factory named `module:function`."""
    module, _, function = name.partition(":")
    factory: RecogniserFactory = getattr(importlib.import_module(module), function)
    return factory(clean)


def prepare(media: str, samples: str, from_ms: int | None, to_ms: int | None) -> Prepared:
    """Decode a media file to `samples` and find the speech in it, between two times if given."""
    sound = audio.decode(Path(media), Path(samples))
    segments, speech = _segments(sound.files[0], _stretch(sound.count, from_ms, to_ms))
    return Prepared(sound.count, segments, sound.sample_rate, sound.lost, speech)


def prepare_channels(media: str, samples: str, from_ms: int | None, to_ms: int | None) -> Prepared:
    """Decode each channel of a media file to a file of its own and find the speech in each."""
    sound = audio.decode(Path(media), Path(samples), multichannel=True)
    stretch = _stretch(sound.count, from_ms, to_ms)
    found = [(str(file), *_segments(file, stretch)) for file in sound.files]
    channels = [(file, segments) for file, segments, _ in found]
    speech = max(speech for _, _, speech in found)
    return Prepared(sound.count, [], sound.sample_rate, sound.lost, speech, channels)


def _stretch(count: int, from_ms: int | None, to_ms: int | None) -> slice:
    start = min(count, (from_ms or 0) * audio.SAMPLE_RATE // 1000)
    stop = count if to_ms is None else min(count, to_ms * audio.SAMPLE_RATE // 1000)
    return slice(start, max(start, stop))


def _segments(samples: Path, stretch: slice) -> tuple[list[Span], float]:
    # Mapped, not read: ten hours are more than a gigabyte.
    part = np.memmap(samples, dtype="<i2", mode="r")[stretch]
    speech = find_speech(part)
    spoken = sum(stop - start for start, stop in speech)
    segments = [
        (segment.start + stretch.start, segment.stop + stretch.start, segment.pause)
        for segment in find_segments(part, speech)
    ]
    return segments, spoken / max(1, len(part))


def main(arguments: Sequence[str] | None = None) -> int:
    """Say "ready", then answer tasks until stdin ends."""
    parser = argparse.ArgumentParser(prog="python -m local.engine.worker", description=main.__doc__)
    parser.add_argument("--recogniser", default=DEFAULT_RECOGNISER, metavar="MODULE:FACTORY")
    parser.add_argument("--rude-words", action="store_true")
    options = parser.parse_args(arguments)
    # What a codec or a model prints must not get between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    lines: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()

    try:
        recognise = load_recogniser(options.recogniser, clean=not options.rude_words)
    except Exception as error:  # noqa: BLE001  a plugged-in one may raise anything
        sys.stderr.write(f"cannot start the recogniser {options.recogniser}: {type(error).__name__}: {error}\n")
        return 1

    def words(samples: str, start: int, stop: int, keyterms: Sequence[str] = ()) -> list[dict[str, Any]]:
        found = recognise(centred(audio.read_samples(Path(samples), start, stop)), keyterms)
        offset = start * 1000 // audio.SAMPLE_RATE
        return [
            {**word, "start": cast("int", word["start"]) + offset, "end": cast("int", word["end"]) + offset}
            for word in found
        ]

    tasks: Mapping[str, Callable[..., Any]] = {
        "prepare": lambda *arguments: asdict(prepare(*arguments)),
        "prepare_channels": lambda *arguments: asdict(prepare_channels(*arguments)),
        "recognise": words,
        "key_phrases": find_key_phrases,
        "summarise": summarise,
    }
    find_key_phrases([{"text": "ready", "start": 0, "end": 0}])  # loads the tagger's model
    _answer(answers, {"ready": True})
    while True:
        task = json.loads(lines.get())
        try:
            _answer(answers, {"result": tasks[task["task"]](*task["arguments"])})
        except audio.AudioError as error:
            _answer(answers, {"audio_error": str(error)})
        except Exception as error:  # noqa: BLE001  it is the task's; the next may succeed
            _answer(answers, {"failure": f"{type(error).__name__}: {error}"})


def centred(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """Take out the constant that a faulty microphone adds; a small one does no harm and stays."""
    constant = int(samples.mean()) if len(samples) else 0
    if abs(constant) < _HARMLESS_CONSTANT:
        return samples
    moved: NDArray[np.int16] = np.clip(samples - np.int32(constant), -32_768, 32_767).astype(np.int16)
    return moved


def _read(lines: SimpleQueue[bytes]) -> None:
    """Pass on what the server writes; leave at once when it is gone, whatever the task of the moment."""
    for line in sys.stdin.buffer:
        lines.put(line)
    os._exit(0)


def _answer(answers: Any, answer: Mapping[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(main())
