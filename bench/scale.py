"""`make simulation`: renews the tables of docs/scale.md and its pictures, docs/pictures/scale-*.svg.

What was measured is read from measured_line.json; `python -m bench.measured_line` measures it anew.
"""

import itertools
import json
import math
import re
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Annotated, Any

import matplotlib as mpl
import numpy as np
import typer
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from rich.console import Console
from rich.progress import track

from bench import limits
from bench.measured_line import MEASURED
from bench.report import PROJECT, Table
from bench.simulation import Outcome, Pipeline, Seen, Settings, at_once, by_rate, transcripts
from cli.prices import Prices, asked

PAGE = PROJECT / "docs" / "scale.md"
_PICTURES = PROJECT / "docs" / "pictures"
_NO_LINE: Mapping[str, Any] = {"max_in_flight": 10**9, "units_a_second": math.inf}  # nobody waits for a place
_BLUE, _ORANGE, _GREEN, _RED, _GREY = "#0072b2", "#d55e00", "#009e73", "#cc3311", "#777777"
_WHOSE = {"provider": _ORANGE, "ours": _BLUE, "AWS": _GREEN}
_STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "legend.frameon": False,
    "figure.facecolor": "white",
    "svg.hashsalt": "audio-highlights",  # the same picture is the same file
}


@dataclass(frozen=True, slots=True)
class Case:
    """Something to simulate."""

    name: str
    settings: Settings
    uploads: Callable[[], Iterable[tuple[float, float]]]
    sample_seconds: float = 10

    def run(self) -> Outcome:
        return Pipeline(self.settings).run(self.uploads(), self.sample_seconds)


def _paid(most: int = 200, concurrency: int = 10, **more: Any) -> Settings:
    return Settings(max_in_flight=most, provider_parallel=most, max_concurrency=concurrency, **more)


_FREE, _PAID = _paid(5), _paid()
_LARGE = _paid(1000, 50)
_LARGE_TEXT = replace(_LARGE, id_bytes=limits.TEXT_ID_BYTES)
# Uploads of a day, by the hour: quiet at night, and most at ten and at three.
_DAY = [
    3.4 * share
    for share in (
        5, 4, 4, 4, 6, 10, 30, 90, 210, 345, 375, 330,
        270, 300, 360, 375, 330, 240, 120, 60, 30, 15, 10, 6,
    )
]  # fmt: skip


def _steady(rate: float, hours: int) -> Callable[[], Iterable[tuple[float, float]]]:
    return lambda: by_rate([rate] * hours, transcripts())


def _burst(count: int) -> Callable[[], Iterable[tuple[float, float]]]:
    return lambda: at_once(count, transcripts())


RATES = (
    Case("10 an hour, free plan", _FREE, _steady(10, 48)),
    Case("1,000 an hour, free plan", _FREE, _steady(1000, 6)),
    Case("1,000 an hour", _PAID, _steady(1000, 6)),
    Case("100,000 an hour", _PAID, _steady(100_000, 1)),
    Case("100,000 an hour, 1,000 parallel", _LARGE, _steady(100_000, 1)),
    Case("the same, were ids 32 digits", _LARGE_TEXT, _steady(100_000, 1)),
)
DAYS = (
    Case("free plan", _FREE, lambda: by_rate(_DAY, transcripts()), 60),
    Case("paid plan", _PAID, lambda: by_rate(_DAY, transcripts()), 60),
)
BURSTS = (
    Case("1,000, free plan", _FREE, _burst(1000)),
    Case("1,000, free plan, no line", replace(_FREE, **_NO_LINE), _burst(1000)),
    Case("10,000, free plan", _FREE, _burst(10_000)),
    Case("10,000, free plan, no line", replace(_FREE, **_NO_LINE), _burst(10_000)),
    Case("100,000", _PAID, _burst(100_000), 60),
    Case("100,000, no line", replace(_paid(concurrency=100), **_NO_LINE), _burst(100_000), 60),
)


# ---- tables


def limits_table() -> Table:
    """Which quota binds at which rate."""
    rows = [
        (f"{_rounded(one.binds_at):,}", one.what, one.whose, one.quota, one.uses, one.more) for one in limits.limits()
    ]
    columns = ("recordings/h", "quota", "whose", "how much", "a recording takes", "raised by")
    return Table("Where each quota binds", columns, rows)


def _rounded(number: float) -> int:
    """Two digits say as much as is known."""
    size = 10 ** max(0, len(str(int(number))) - 2)
    return int(number // size * size)


def cost_table() -> Table:
    """What each rate costs in an hour."""
    prices = Prices.load()
    parts, _ = prices.transcript(600, "universal-3-5-pro", asked({"auto_highlights": True}))
    provider = sum(parts.values())
    rows = [
        (
            f"{rate:,}",
            *(f"${rate * prices.of_recording(mode):,.3f}" for mode in ("webhook", "poll")),
            f"${rate * provider:,.2f}",
        )
        for rate in (10, 1000, 100_000)
    ]
    return Table("What an hour costs", ("recordings/h", "AWS, webhook mode", "AWS, poll mode", "AssemblyAI"), rows)


def outcomes_table(title: str, outcomes: Mapping[str, Outcome]) -> Table:
    """How each case ended."""
    rows = []
    for name, outcome in outcomes.items():
        seen = outcome.seen
        rows.append(
            (
                name,
                f"{_seconds(outcome.percentile(50))} / {_seconds(outcome.percentile(99))}",
                f"{outcome.most_at_provider:,}",
                f"{max(one.submit_queue for one in seen):,}",
                f"{max(one.rows for one in seen):,}",
                f"{statistics.mean(one.attempts for one in outcome.recordings):.1f}",
                "" if math.isinf(outcome.settings.units_a_second) else f"{outcome.most_per_second('units'):,.0f}",
                f"{outcome.most_per_second('requests'):,.1f}",
                _share(outcome.too_old),
                _share(outcome.failed),
            )
        )
    columns = (
        "", "to highlights, p50 / p99", "most at AssemblyAI", "most in SubmitQueue", "most waiting rows",
        "times submitted", "item: units/s", "requests/s", "URLs too old", "failed",
    )  # fmt: skip
    return Table(title, columns, rows)


def _seconds(seconds: float) -> str:
    if seconds < 120:  # noqa: PLR2004  then minutes read better
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 2 * 3600 else f"{seconds / 3600:.1f} h"


def _share(part: float) -> str:
    return f"{part:.0%}" if part else "none"


# ---- the small case


@dataclass(frozen=True, slots=True)
class Compared:
    """The small case, measured and simulated: of each recording how long it took, and how old its URL was."""

    name: str
    fitted: Settings
    uploaded: Sequence[float]
    measured: Sequence[float]
    simulated: Sequence[float]
    measured_ages: Sequence[float]
    simulated_ages: Sequence[float]


def compared(measured: Mapping[str, Any]) -> list[Compared]:
    """Simulate what was measured. The steps take what they took of recordings that came one by one."""
    found = []
    for name, case in measured["cases"].items():
        together = sorted(case["together"], key=lambda one: one["uploaded"])
        settings = fitted(measured, case)
        work = _median(case["single"], "created", "transcribed")
        outcome = Pipeline(settings).run([(one["uploaded"], work) for one in together])
        found.append(
            Compared(
                name=name,
                fitted=settings,
                uploaded=[one["uploaded"] for one in together],
                measured=sorted(one["completed"] for one in together),
                simulated=sorted(one.completed for one in outcome.recordings),
                measured_ages=sorted(max(0.0, one["transcribed"] - work - one["created"]) for one in together),
                simulated_ages=sorted(one.url_age for one in outcome.recordings),
            )
        )
    return found


def fitted(measured: Mapping[str, Any], case: Mapping[str, Any]) -> Settings:
    """The local AWS's times: of the single recordings, and how far apart it starts functions when many come."""
    single = case["single"]
    claims = sorted(one["claimed"] for one in case["together"])
    queue, submit = _median(single, "uploaded", "claimed") / 2, _median(single, "claimed", "created")
    delivery = _median(single, "transcribed", "completed")
    return Settings(
        max_in_flight=case["max_in_flight"],
        max_concurrency=measured["max_concurrency"],
        provider_parallel=measured["parallel"],
        start_every=statistics.median(late - early for early, late in itertools.pairwise(claims)),
        event=queue,
        message=queue,
        look=submit / 2,
        ask=submit / 2,
        give_back=submit / 2,
        webhook=(delivery - queue) / 2,
        store=(delivery - queue) / 2,
        leave=delivery,
    )


def _median(recordings: Sequence[Mapping[str, float]], begin: str, end: str) -> float:
    return statistics.median(one[end] - one[begin] for one in recordings)


def compared_table(cases: Sequence[Compared]) -> Table:
    """Measured beside simulated."""
    rows: list[Sequence[str]] = []
    for case in cases:
        sides = ((case.measured, case.measured_ages), (case.simulated, case.simulated_ages))
        found = [
            (
                statistics.median(ends),
                max(ends),
                len(ends) / max(ends),
                max(ages),
                statistics.mean(ages),
            )
            for ends, ages in sides
        ]
        names = (
            "half completed after",
            "all completed after",
            "recordings/s",
            "oldest URL when fetched",
            "mean URL age",
        )
        units = ("s", "s", "/s", "s", "s")
        rows += [
            (case.name, name, f"{one:.3g} {unit}", f"{other:.3g} {unit}", f"{other / one:.2f}" if one > 1 else "")
            for name, unit, one, other in zip(names, units, *found, strict=True)
        ]
    return Table("The small case", ("", "", "measured", "simulated", "ratio"), rows)


# ---- pictures


@contextmanager
def _picture(name: str, columns: int = 1, height: float = 3.6) -> Iterator[list[Axes]]:
    with mpl.rc_context(_STYLE):
        figure, axes = plt.subplots(1, columns, figsize=(10, height), layout="constrained", squeeze=False)
        yield list(axes[0])
        figure.savefig(_PICTURES / f"scale-{name}.svg", metadata={"Date": None})
        plt.close(figure)


def _draw_limits() -> None:
    found = list(reversed(limits.limits()))
    with _picture("limits", height=5.6) as (axes,):
        axes.barh(
            [one.what.replace("`", "") for one in found],
            [one.binds_at for one in found],
            color=[_WHOSE[one.whose] for one in found],
        )
        axes.set_xscale("log")
        axes.set_xlim(5, 2e8)
        axes.set_xlabel("recordings an hour at which it binds")
        for rate in (10, 1000, 100_000):
            axes.axvline(rate, color="black", linewidth=1, linestyle="--")
            axes.text(rate, len(found) - 0.3, f"{rate:,}", ha="center", va="bottom", fontsize=9)
        for one, color in _WHOSE.items():
            axes.bar(0, 0, color=color, label=one)
        axes.legend(loc="upper right")
        axes.grid(visible=False, axis="y")


def _draw_compared(cases: Sequence[Compared]) -> None:
    with _picture("measured", 3) as (*ends, ages):
        for axes, case, color in zip(ends, cases, (_BLUE, _ORANGE), strict=True):
            count = range(1, len(case.measured) + 1)
            axes.plot(case.measured, count, "o", markersize=4, color=color, label="measured")
            axes.step(case.simulated, count, where="post", color=color, label="simulated")
            axes.set(xlabel="seconds since the first upload", ylabel="recordings completed", title=case.name)
            axes.legend()
            ages.plot(count, case.measured_ages, "o", markersize=4, color=color, label=f"{case.name}, measured")
            ages.step(count, case.simulated_ages, where="mid", color=color, label=f"{case.name}, simulated")
        ages.set(xlabel="recordings, in the order of this age", ylabel="age of the URL when fetched, s", title="URLs")
        ages.legend(fontsize=8)


def _over(axes: Axes, seen: Sequence[Seen], what: str, unit: float, **style: Any) -> None:
    axes.plot([one.time / unit for one in seen], [getattr(one, what) for one in seen], **style)


def _draw_days(days: Mapping[str, Outcome]) -> None:
    with _picture("day", 2) as (waiting, late):
        for (name, outcome), color in zip(days.items(), (_ORANGE, _BLUE), strict=True):
            places = outcome.settings.max_in_flight
            _over(waiting, outcome.seen, "open", 3600, color=color, label=f"{name}, {places} places: not completed")
            took: dict[int, list[float]] = {}
            for one in outcome.recordings:
                took.setdefault(int(one.uploaded // 3600), []).append(one.seconds / 60)
            hours = sorted(took)
            medians = [statistics.median(took[hour]) for hour in hours]
            late.plot([hour + 0.5 for hour in hours], medians, "o-", markersize=4, color=color, label=name)
        waiting.plot(
            [hour + 0.5 for hour in range(24)], _DAY, drawstyle="steps-mid", color=_GREY, label="uploads an hour"
        )
        waiting.set(xlabel="hour of the day", ylabel="recordings", xticks=range(0, 25, 3), ylim=(-100, 4000))
        waiting.legend(loc="upper left", fontsize=9)
        late.set(
            xlabel="hour of the upload", ylabel="minutes to highlights (median)", yscale="log", xticks=range(0, 25, 3)
        )
        late.legend()


def _draw_rates(rates: Mapping[str, Outcome]) -> None:
    shown = [(name, one) for name, one in rates.items() if len(one.recordings) > 10_000]  # noqa: PLR2004  the highest
    with _picture("rates", 2) as (work, left):
        for (name, outcome), color in zip(shown, (_ORANGE, _BLUE, _GREEN), strict=True):
            label = f"{outcome.settings.max_in_flight:,} places" + (", were ids 32 digits" if "digits" in name else "")
            _over(work, outcome.seen, "at_provider", 60, color=color, label=label)
            _over(left, outcome.seen, "open", 60, color=color, label=label)
        work.set(xlabel="minutes (uploads for the first 60)", ylabel="transcripts in work at AssemblyAI")
        left.set(
            xlabel="minutes (uploads for the first 60)",
            ylabel="recordings not completed",
            yscale="log",
            ylim=(100, None),
        )
        work.legend()


def _draw_bursts(bursts: Mapping[str, Outcome]) -> None:
    with _picture("burst", 3) as (fed, *aged):
        outcome = bursts["100,000"]
        for what, label, color in (
            ("submit_queue", "messages in SubmitQueue", _GREY),
            ("rows", "rows that wait", _BLUE),
            ("open", "not completed", _ORANGE),
        ):
            _over(fed, outcome.seen, what, 60, color=color, label=label)
        fed.set(xlabel="minutes", ylabel="recordings", title="100,000 at once, 200 places")
        fed.set_ylim(0, 230_000)
        fed.legend(fontsize=8)
        fed.yaxis.set_major_formatter("{x:,.0f}")
        titles = {"10,000, free plan": "10,000 at once, 5 places", "100,000": "100,000 at once, 200 places"}
        for axes, (name, title) in zip(aged, titles.items(), strict=True):
            for line, color in ((name, _BLUE), (f"{name}, no line", _ORANGE)):
                ages = np.sort([one.url_age / 60 for one in bursts[line].recordings])
                axes.plot(100 * np.arange(1, len(ages) + 1) / len(ages), ages, color=color, label=line)
            axes.axhline(60, color=_RED, linestyle="--", linewidth=1)
            axes.text(99, 58, "a URL ends", color=_RED, fontsize=8, ha="right", va="top")
            axes.set(xlabel="% of the recordings", ylabel="age of the oldest URL when fetched, min", title=title)
            axes.legend(["with the line", "no line"], fontsize=8, loc="center left")


def _draw_item() -> None:
    rates = np.logspace(3, 5.7, 300)
    with _picture("item") as (axes,):
        for label, color, size in (
            ("ids as 16 bytes (as it is)", _BLUE, limits.RAW_ID_BYTES),
            ("ids as 32 hex digits (as it was)", _GREEN, limits.TEXT_ID_BYTES),
        ):
            axes.plot(rates, [limits.item_units_a_second(rate, size) for rate in rates], color=color, label=label)
        axes.axhline(1000, color=_RED, linestyle="--", linewidth=1)
        axes.text(1100, 1100, "one item takes 1,000 units/s", color=_RED, fontsize=9)
        axes.set(xscale="log", yscale="log", xlabel="recordings an hour, none of which waits", ylabel="write units/s")
        axes.set_ylim(0.3, 20_000)
        axes.legend()


# ---- the page


def renewed(page: str, tables: Mapping[str, Table]) -> str:
    """The page with these tables between their lines `<!-- name -->` and `<!-- /name -->`."""
    for name, table in tables.items():
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not marked.search(page):
            message = f"{PAGE.name} has no place for the table {name}."
            raise ValueError(message)
        body = table.markdown().partition("\n\n")[2]
        page = marked.sub(lambda found, body=body: f"{found[1]}\n{body}\n{found[2]}", page)  # type: ignore[misc]
    return page


def quick_tables() -> dict[str, Table]:
    """Those that take no time."""
    return {"limits": limits_table(), "cost": cost_table(), "measured": compared_table(compared(_measured()))}


def _measured() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(MEASURED.read_text(encoding="utf-8"))
    return found


def main(
    *,
    quick: Annotated[bool, typer.Option(help="Only what needs no simulation: quotas, cost, the small case.")] = False,
) -> None:
    """Simulate, and renew the page and its pictures."""
    tables = quick_tables()
    _draw_limits()
    _draw_item()
    _draw_compared(compared(_measured()))
    if not quick:
        tables |= _simulated()
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8"), tables), encoding="utf-8")


def _simulated() -> dict[str, Table]:
    """Run all cases, draw them, and return their tables."""
    cases = [*RATES, *DAYS, *BURSTS]
    console = Console(stderr=True)
    ran = {case.name: case.run() for case in track(cases, "Simulating", console=console, transient=True)}
    rates, days, bursts = ({case.name: ran[case.name] for case in some} for some in (RATES, DAYS, BURSTS))
    _draw_rates(rates)
    _draw_days(days)
    _draw_bursts(bursts)
    return {
        "rates": outcomes_table("Steady rates", rates),
        "days": outcomes_table("A day of 12,000", days),
        "bursts": outcomes_table("All at once", bursts),
    }


if __name__ == "__main__":
    typer.run(main)
