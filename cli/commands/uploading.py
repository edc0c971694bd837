"""upload: files and folders."""

import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import boto3
import typer
from botocore.exceptions import ClientError
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from audio_highlights.models import Upload
from cli import files, recordings
from cli.commands.reading import followed
from cli.display import highlights_view, recordings_view, upload_and_follow
from cli.files import File
from cli.output import DEFAULT_STACK, AsJson, Exit, StackName, aside, console, document, readable, say, usage
from cli.stack import Stack

_AT_ONCE = 4


def upload(
    path: Annotated[list[Path], typer.Argument(help="Files and folders.")],
    option: Annotated[
        list[str] | None, typer.Option(help="An AssemblyAI option for these recordings, as language_code=en.")
    ] = None,
    metadata: Annotated[list[str] | None, typer.Option(help="What else to note with them, as call_id=4711.")] = None,
    prefix: Annotated[str, typer.Option(help="What the object keys begin with, as calls/2026/.")] = "",
    key: Annotated[str | None, typer.Option(help="The object key, for one file; its name by default.")] = None,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave out what the bucket has under this key in this size.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Wait for the highlights.")] = True,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the end.")] = 1800,
    stack_name: StackName = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Upload recordings, follow them and show their highlights. Exits 1 if one does not complete."""
    stack = Stack.named(stack_name)
    carried = files.metadata(stack, option or (), metadata or ())
    found = files.found(path, prefix, key, files.limit(stack))
    if skip_existing:
        found = [_unless_there(stack, file) for file in found]
    for file in found:
        if file.skipped:
            say(f"Skipped {readable(file.path)}: {file.skipped}.", "yellow")
    chosen = [file for file in found if not file.skipped]
    if not chosen:
        if skip_existing and found:
            say("Nothing is left to upload.")
            if as_json:
                document(_report(found, {}, {}))
            return
        message = "There is nothing to upload."
        raise usage(message)
    if len(chosen) == 1 and wait and not as_json:
        _one(stack, chosen[0], timeout, carried)
    else:
        _several(stack, found, carried, timeout if wait else None, as_json=as_json)


def _several(
    stack: Stack, found: list[File], carried: Mapping[str, str], timeout: float | None, *, as_json: bool
) -> None:
    chosen = [file for file in found if not file.skipped]
    uploaded = _sent(stack, chosen, carried)
    ids = [one.recording_id for one in uploaded.values()]
    rows: Mapping[str, Any] = {} if timeout is None or not ids else followed(stack, ids, timeout, as_json=False)
    if as_json:
        document(_report(found, uploaded, rows))
    elif rows:
        console.print(recordings_view([rows[one] for one in ids]))
    else:
        for file in chosen:
            if file.path in uploaded:
                one = uploaded[file.path]
                console.print(
                    f"{one.recording_id}  {readable(one.name)}", markup=False, highlight=False, soft_wrap=True
                )
    if len(uploaded) < len(chosen) or any(row["status"] != "completed" for row in rows.values()):
        raise typer.Exit(Exit.FAILED)


def _one(stack: Stack, file: File, timeout: float, metadata: Mapping[str, str]) -> None:
    row = upload_and_follow(console, stack, file.path, file.key, timeout, metadata=metadata)
    if row["status"] != "completed":
        say(f"{row['status']}: {row.get('reason')}", "red")
        raise typer.Exit(Exit.FAILED)
    console.print(highlights_view(row, recordings.highlights(stack, row["recording_id"])))


def _unless_there(stack: Stack, file: File) -> File:
    if file.skipped:
        return file
    try:
        there = boto3.client("s3").head_object(Bucket=stack.media_bucket, Key=file.key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
            return file
        raise
    if there["ContentLength"] != file.size_bytes:
        return file
    return File(file.path, file.key, file.size_bytes, "the bucket has it already")


def _sent(stack: Stack, chosen: list[File], metadata: Mapping[str, str]) -> dict[Path, Upload]:
    """Upload several at once, each in parts where it is large; what fails is said and left out."""
    uploaded: dict[Path, Upload] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with (
        Progress(*columns, console=aside, transient=True, disable=not aside.is_terminal) as bars,
        ThreadPoolExecutor(_AT_ONCE) as pool,
    ):
        total = bars.add_task(f"{len(chosen)} files", total=sum(file.size_bytes for file in chosen))

        def send(file: File) -> Upload:
            bar = bars.add_task(escape(readable(file.path.name)), total=file.size_bytes)

            def advance(step: int) -> None:
                bars.advance(bar, step)
                bars.advance(total, step)

            try:
                return recordings.upload(stack, file.path, file.key, advance, metadata)
            finally:
                bars.remove_task(bar)

        sending = {file.path: pool.submit(send, file) for file in chosen}
        try:
            for path, one in sending.items():
                try:
                    uploaded[path] = one.result()
                except Exception as error:  # noqa: BLE001  whatever one file meets, the others go on
                    say(f"{readable(path)} could not be uploaded: {error}", "red")
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            say("Interrupted. What was uploaded goes on; with --skip-existing the same command takes up the rest.")
            sys.exit(130)
    return uploaded


def _report(found: list[File], uploaded: Mapping[Path, Upload], rows: Mapping[str, Any]) -> dict[str, Any]:
    def told(file: File) -> dict[str, Any]:
        named = {"path": str(file.path), "key": file.key, "size_bytes": file.size_bytes}
        if file.skipped:
            return {**named, "skipped": file.skipped}
        if file.path not in uploaded:
            return {**named, "error": "it could not be uploaded"}
        recording_id = uploaded[file.path].recording_id
        row = rows.get(recording_id, {})
        facts = ("status", "reason", "highlight_count", "highlights_status", "audio_duration")
        return {**named, "recording_id": recording_id, **{name: row[name] for name in facts if name in row}}

    return {"files": [told(file) for file in found]}
