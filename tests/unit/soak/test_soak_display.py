"""What a soak shows while it runs and at its end."""

import io
from collections import Counter
from collections.abc import Callable

import pytest
from rich.console import Console, RenderableType

from tests.soak.audit import Count
from tests.soak.display import bars, line, report, watching
from tests.soak.run import Progress


@pytest.fixture
def progress() -> Progress:
    return Progress(
        uploads=100,
        made=80,
        statuses=Counter(completed=50, failed=2, ignored=3, processing=7),
        depths=Counter(SubmitQueueUrl=11),
        faults=Counter({"create 503": 4}),
        faults_planned=9,
        kills=Counter(submit=1),
        sweeps=6,
        healed=Counter(ended=5),
    )


def shown(what: RenderableType) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(what)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("show", [line, lambda progress: shown(bars(progress))])
def test_the_numbers_are_shown_in_a_line_and_as_bars(show: Callable[[Progress], str], progress: Progress) -> None:
    text = show(progress)
    for number in ("80", "25", "50"):  # uploaded, open, completed
        assert number in text
    for part in ("Submit 11", "faults 4 of 9", "killed: submit 1", "sweeps 6: 5 ended"):
        assert part in text


def test_without_a_terminal_there_are_lines_and_not_for_every_look(progress: Progress) -> None:
    console = Console(file=io.StringIO(), width=400)
    with watching(console) as show:
        show(progress)
        show(progress)
    assert console.file.getvalue().count("uploaded") == 1  # type: ignore[attr-defined]


def test_the_report_says_what_agrees_and_lists_what_does_not() -> None:
    text = shown(report([Count("uploads", [("made", 3)]), Count("paid", [("jobs", 4)], ["t-1 was paid in vain"])]))
    assert "agree" in text
    assert "1 disagree" in text
    assert "t-1 was paid in vain" in text
