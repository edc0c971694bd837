"""backfill: recordings that were in the bucket before the stack, or whose events were lost."""

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from audio_highlights.config import utc_now
from audio_highlights.models import Upload
from audio_highlights.storage import Queue
from cli import files, recordings
from cli.backfill import Backfill, Plan
from cli.output import DEFAULT_STACK, AsJson, StackName, Yes, aside, ask, console, document, say
from cli.periods import first_day
from cli.prices import Prices, asked, between, dollars, hours
from cli.stack import Stack


def backfill(
    prefix: Annotated[str, typer.Option(help="Objects whose key begins so; '' for the whole bucket.")],
    since: Annotated[str | None, typer.Option(help="Only objects that came since 7d, 2w, or a date.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    max_pending: Annotated[int, typer.Option(min=1, help="So many are in work at the same time.")] = 100,
    patience: Annotated[float, typer.Option(help="Give up waiting where nothing ends for so many seconds.")] = 1800,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count and estimate, change nothing.")] = False,
    yes: Yes = False,
    stack_name: StackName = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Submit objects that the bucket has and the stack does not know. Interrupted, run it again: none is paid twice."""
    first = first_day(since, utc_now().date()) if since else None
    stack = Stack.named(stack_name)

    def objects() -> Iterator[Upload]:
        for upload, day in recordings.versions(stack.media_bucket, prefix, latest=True):
            if first is None or day >= first:
                yield upload

    def states(recording_ids: Collection[str]) -> Mapping[str, str]:
        return {one: str(row["status"]) for one, row in stack.rows(recording_ids, "status").items()}

    work = Backfill(
        objects=objects,
        states=states,
        send=Queue(stack.outputs["SubmitQueueUrl"]).send,
        most_bytes=files.limit(stack),
        limit=limit,
    )
    plan = work.plan()
    report, told = _estimate(stack, plan)
    if not as_json or not dry_run:
        say(told)
    if dry_run or not plan.missing:
        if as_json:
            document(report)
        return
    ask(f"Submit {plan.missing:,} recordings?", yes=yes)
    sent = ended = 0
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pending]} pending"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=aside, transient=True, disable=not aside.is_terminal) as bars:
        bar = bars.add_task("submitted", total=plan.missing, pending=0)
        for progress in work.run(max_pending, patience):
            sent, ended = progress.sent, progress.ended
            bars.update(bar, completed=sent, pending=len(progress.pending))
    if as_json:
        document({**report, "sent": sent, "ended": ended})
    else:
        console.print(f"{sent:,} submitted, {ended:,} ended. How: highlights list --since 1d", highlight=False)


def _estimate(stack: Stack, plan: Plan) -> tuple[dict[str, Any], str]:
    prices = Prices.load()
    model, options = stack.speech_models[0], asked(stack.options)
    known, unknown = prices.per_hour(model, options)
    per_hour = sum(known.values(), Decimal(0))
    long, price = prices.guess(plan.sizes, model, options)
    rates = {suffix: prices.bit_rates.get(suffix, prices.bit_rates["other"]) for suffix in plan.sizes}
    assumption = ", ".join(f"{suffix or 'other'} {low}-{high} kbit/s" for suffix, (low, high) in sorted(rates.items()))
    report = {
        "objects": plan.objects,
        "known": plan.known,
        "unusable": plan.unusable,
        "missing": plan.missing,
        "size_bytes": plan.size_bytes,
        "per_hour": per_hour,
        "model": model,
        "options": options,
        "price_unknown": unknown,
        "seconds": {"least": round(long.least), "most": round(long.most)},
        "price": {"least": round(price.least, 4), "most": round(price.most, 4)},
        "assumption": assumption,
    }
    told = (
        f"{plan.objects:,} objects: {plan.known:,} known already, {plan.unusable:,} empty or too large, "
        f"{plan.missing:,} to be submitted ({plan.size_bytes / 1e6:,.1f} MB)."
    )
    if plan.missing:
        audio = f"{hours(long.least)} to {hours(long.most)} of audio"
        told += (
            f"\nTheir price is a guess from their bytes: {between(price)}, for {audio} at {dollars(per_hour)} an hour "
            f"({', '.join([model, *options])}), if {assumption}. Objects whose "
            "metadata ask for more cost more; what is no recording costs nothing."
        )
        if unknown:
            told += f"\nNot in it, because cli/prices.toml has no price: {', '.join(unknown)}."
    return report, told
