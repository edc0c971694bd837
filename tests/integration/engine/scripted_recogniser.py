"""Recognisers that do what a test says through files, for engines started with `--recogniser`."""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local.engine.recogniser import Recogniser, Word


def _word(samples: Any) -> list[Word]:
    return [{"text": "heard", "start": 0, "end": len(samples) // 16, "confidence": 1.0, "speaker": None}]


def gated(clean: bool) -> Recogniser:
    """Hear nothing until there is a file $SCRIPT_FOLDER/open."""
    gate = Path(os.environ["SCRIPT_FOLDER"]) / "open"

    def recognise(samples: Any, keyterms: Sequence[str] = ()) -> list[Word]:
        while not gate.exists():
            time.sleep(0.01)
        return _word(samples)

    return recognise


def mortal(clean: bool) -> Recogniser:
    """Kill the worker, as long as $SCRIPT_FOLDER/lives holds a character; each death takes one."""
    lives = Path(os.environ["SCRIPT_FOLDER"]) / "lives"

    def recognise(samples: Any, keyterms: Sequence[str] = ()) -> list[Word]:
        if left := lives.read_text():
            lives.write_text(left[1:])
            os.kill(os.getpid(), signal.SIGKILL)
        return _word(samples)

    return recognise
