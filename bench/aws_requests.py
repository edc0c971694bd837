"""What a recording costs: AWS requests, write units and state transitions, in both modes and beside the baseline.

`python -m bench.aws_requests` prints the sections of cli/prices.toml that hold what a recording takes.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from bench.limits import item_units
from bench.report import Say, Table
from bench.side_by_side import BASELINE, BY_AWS, LONG, POLL, POLL_SECONDS, SHORT, WEBHOOK, Measured, Taken, measured
from cli.output import say
from cli.prices import Prices
from tests.deployed_template import as_written

_SHORT_RECORDINGS, _LONG_RECORDINGS = 7, 3
_MILLION = 1_000_000
_EXACT = 100  # numbers above it are shown whole
_WHO = ("functions", "AWS, for us", "whoever uploads", "the provider, by presigned URL")
_KINDS = ("sqs", "dynamodb", "s3", "http_api", "events")  # queue, table, bucket, API, event
_ASIDE = ("events from S3",)  # paid for, but no request
_FULL_LINE = 200  # MaxInFlight, as the template has it by default
_MINUTES = 30 * 24 * 60  # a month's
_IDLE_RECEIVES = 15 * _MINUTES  # of a queue: Lambda keeps five pollers at it, each of which waits for up to 20 s
_SWEEPS = _MINUTES // 5 + 30

type Counted = Mapping[str, float]
"""Of one recording, by the names that cli/prices.toml has for what is paid."""


def measure(say: Say) -> Iterator[Table]:
    """Count, and price what was counted."""
    found = measured(say, _SHORT_RECORDINGS, _LONG_RECORDINGS)
    prices = Prices.load()
    columns = _columns(found.taken)
    yield _requests(columns)
    yield _cost(columns, prices)
    yield _units(found.taken)
    yield _stored(found, prices)
    yield _standing(found, prices)


def main() -> None:
    """Print what a recording takes, for cli/prices.toml."""
    found = measured(say, _SHORT_RECORDINGS, _LONG_RECORDINGS)
    columns = _columns(found.taken)
    sections = {"aws.recording": columns["webhook"], "aws.recording_poll": columns[_name(POLL, LONG)]}
    for section, several in sections.items():
        counts = _counted(several)
        lines = [f"{name} = {count:.4g}" for name, count in counts.items()]
        sys.stdout.write("\n".join([f"[{section}]", *lines]) + "\n")


def _columns(taken: Iterable[Taken]) -> dict[str, list[Taken]]:
    """What is shown beside each other. For the webhook it makes no difference how long a transcript takes."""
    columns: dict[str, list[Taken]] = {}
    for one in sorted(taken, key=lambda one: [WEBHOOK, POLL, BASELINE].index(one.mode)):
        columns.setdefault(_name(one.mode, one.transcript_seconds), []).append(one)
    return columns


def _name(mode: str, seconds: int) -> str:
    return mode if mode == WEBHOOK else f"{mode}, {seconds} s"


def _counted(several: Sequence[Taken]) -> dict[str, float]:
    """What one of these recordings takes, in the units that are paid."""

    def each(of: Callable[[Taken], float]) -> float:
        return sum(of(one) for one in several) / sum(one.recordings for one in several)

    mode = several[0].mode
    by_aws = Counter[str]()
    for name, count in BY_AWS[mode].items():
        by_aws[name.split()[0]] += count
    counts = {
        "lambda": each(lambda one: one.lambdas.runs.total()),
        "lambda_gb_seconds": each(lambda one: one.lambdas.gb_seconds),
        "states": each(lambda one: one.transitions),
        "sqs": each(lambda one: one.counts.of("sqs")) + by_aws["sqs"],
        "dynamodb_write": each(lambda one: one.counts.write_units),
        "dynamodb_read": each(lambda one: one.counts.read_units),
        "s3_put": each(lambda one: one.counts.of("s3", "PUT", "POST")) + 1,  # the upload
        "s3_get": each(lambda one: one.counts.of("s3", "GET", "HEAD") + one.counts.presigned.total()),
        "events": each(lambda one: one.counts.of("events")) + by_aws["events"],
        "sns": float(by_aws["sns"]),
        "http_api": float(by_aws["http_api"]),
        "sts": each(lambda one: one.counts.of("sts")),
        "secrets_manager": each(lambda one: one.counts.of("secretsmanager")),
        "log_bytes": each(lambda one: one.lambdas.log_bytes),
    }
    return {name: count for name, count in counts.items() if count}


def _requests(columns: Mapping[str, Sequence[Taken]]) -> Table:
    asked = {column: _asked(several) for column, several in columns.items()}
    names = sorted({name for one in asked.values() for name in one}, key=lambda name: (_WHO.index(name[0]), name[1]))
    rows = [[who, what, *(_number(one.get((who, what), 0)) for one in asked.values())] for who, what in names]
    totals = (
        sum(
            count
            for (who, what), count in one.items()
            if who in _WHO[:2] and what.split()[0] in _KINDS and what not in _ASIDE
        )
        for one in asked.values()
    )
    rows.append(["**in all**", "**queue, table, bucket, API, event**", *(f"**{_number(total)}**" for total in totals)])
    return Table(
        "AWS requests of one recording",
        ["asked by", "request", *columns],
        rows,
        f"Counted over {_SHORT_RECORDINGS} recordings with transcripts that take {SHORT} s, and {_LONG_RECORDINGS} of "
        f"{LONG} s; 15 phrases, warm functions. Poll mode asks every {POLL_SECONDS} s, the baseline every 3 s. "
        "What AWS asks for us is by its documentation. In all: without sessions (STS), SNS, what S3 tells EventBridge, "
        "the upload and the provider's download.",
    )


def _asked(several: Sequence[Taken]) -> dict[tuple[str, str], float]:
    """Who asked, for what, and how often for one recording."""
    functions, aws, people, provider = _WHO
    recordings = sum(one.recordings for one in several)
    found: dict[tuple[str, str], float] = {(people, "s3 PUT"): 1}
    for who, kind in ((functions, "requests"), (provider, "presigned")):
        requests = sum((getattr(one.counts, kind) for one in several), Counter[str]())
        found |= {(who, what): requests[what] / recordings for what in sorted(requests)}
    counted = _counted(several)
    found |= {(aws, what): count for what, count in BY_AWS[several[0].mode].items()}
    return found | {
        (aws, "lambda invocations"): counted["lambda"],
        (aws, "states transitions"): counted.get("states", 0),
    }


def _cost(columns: Mapping[str, Sequence[Taken]], prices: Prices) -> Table:
    counted = [_counted(several) for several in columns.values()]
    names = dict.fromkeys(name for counts in counted for name in counts)
    rows = []
    for name in names:
        cells = (
            f"{_number(counts.get(name, 0))} = {_for_1000(prices, {name: counts.get(name, 0)})}" for counts in counted
        )
        rows.append([name, f"{prices.units[name] * _MILLION:.4g}", *cells])
    rows.append(["**in all**", "", *(f"**{_for_1000(prices, counts)}**" for counts in counted)])
    traced = ({**counts, "xray": counts["lambda"] + ("states" in counts)} for counts in counted)
    rows.append(["with Tracing=Active, at most", "", *(_for_1000(prices, counts) for counts in traced)])
    return Table(
        "AWS compute and requests for 1,000 recordings, US$",
        ["", "price of a million", *columns],
        rows,
        "What one recording takes = what 1,000 cost, by list prices (cli/prices.toml, us-east-1, no free tier). Lambda "
        "by each function's MemorySize and its median run on this machine; AWS's may take twice as long. Not in it: "
        "data transfer, storage, what runs without recordings. X-Ray takes a sample where there is more than one a "
        "second.",
    )


def _units(taken: Sequence[Taken]) -> Table:
    several = [one for one in taken if one.mode == WEBHOOK]
    recordings = sum(one.recordings for one in several)
    writes = Counter(write for one in several for write in one.counts.writes)
    rows = []
    totals = [0.0, 0.0]
    for table, what in (("RecordingsTable", "row"), ("HighlightsTable", "phrase"), ("FlowTable", "places in the line")):
        for write, count in writes.items():
            if table in write.table:
                times = count / recordings
                units = times * write.units, times * (item_units(_FULL_LINE) if table == "FlowTable" else write.units)
                rows.append([what, write.action, _number(times), *map(_number, units)])
                totals = [sum(pair) for pair in zip(totals, units, strict=True)]
    rows.append(["**in all**", "", "", *(f"**{_number(total)}**" for total in totals)])
    return Table(
        "DynamoDB write units of one recording, webhook mode",
        ["item", "request", "times", "units", f"units with {_FULL_LINE} in flight"],
        rows,
        "By the rules that AWS documents, from the items before and after each request: whole KB, twice in a "
        "transaction, and each index that changes. The places are one item, which holds the ids of all in flight.",
    )


def _stored(found: Measured, prices: Prices) -> Table:
    rows = []
    for mode, stored in found.stored.items():
        dollars = Decimal(stored.files) * prices.monthly["s3_gb"] + Decimal(stored.rows) * prices.monthly["dynamodb_gb"]
        rows.append([mode, f"{stored.files:,.0f}", f"{stored.rows:,.0f}", f"{dollars * 1000 / 10**9:.4f}"])
    return Table(
        "Bytes that stay of one recording",
        ["", "files", "row and phrases, with their copies in indexes", "US$ a month for 1,000"],
        rows,
        "Of 70 words and 15 phrases. With a longer text the files grow, row and phrases hardly.",
    )


def _standing(found: Measured, prices: Prices) -> Table:
    resources = as_written()["Resources"]
    kinds = Counter(one["Type"] for one in resources.values() if one.get("Condition") != "Poll")
    metrics = {metric for one in (*found.taken, found.sweeps) if one.mode == WEBHOOK for metric in one.lambdas.metrics}
    kept = ("lambda", "lambda_gb_seconds", "dynamodb_read", "log_bytes")
    sweep = {name: Decimal(count) for name, count in _counted([found.sweeps]).items() if name in kept}
    rows = [
        ("alarms", kinds["AWS::CloudWatch::Alarm"], prices.monthly["alarm"]),
        ("metrics of ours, if each is told of every hour", len(metrics), prices.monthly["metric"]),
        ("dashboard", kinds["AWS::CloudWatch::Dashboard"], prices.monthly["dashboard"]),
        ("secrets", kinds["AWS::SecretsManager::Secret"], prices.monthly["secret"]),
        ("receives that find nothing, at both queues", 2 * _IDLE_RECEIVES, prices.units["sqs"]),
        ("sweeps: Lambda, reads, log", _SWEEPS, prices.of_units(sweep)),
    ]
    lines = [[what, f"{count:,}", f"{count * price:.2f}"] for what, count, price in rows]
    total = sum(count * price for _, count, price in rows)
    return Table(
        "A month without recordings, US$",
        ["", "how many", "US$"],
        [*lines, ["**in all**", "", f"**{total:.2f}**"]],
        "By arithmetic: list prices, 30 days, no free tier (which has 10 alarms, 10 metrics, 3 dashboards, a million "
        "receives).",
    )


def _for_1000(prices: Prices, counts: Counted) -> str:
    return f"{prices.of_units({name: Decimal(count) for name, count in counts.items()}) * 1000:.4f}"


def _number(count: float) -> str:
    return f"{count:,.0f}" if count == int(count) or count > _EXACT else f"{count:.3g}"


if __name__ == "__main__":
    main()
