"""The local system: `python -m local up | down | demo | view`."""

import os
import sys
import time
import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from cli import recordings
from cli.display import highlights_view, upload_and_follow
from cli.stack import Stack
from local.processes import StartFailed
from local.stack import DEFAULT_STACK_NAME, FOREIGN_VARIABLES, PAGE_USER, PROJECT, DeployFailed, Local

DEFAULT_FOLDER = PROJECT / ".local"
SAMPLE = PROJECT / "samples" / "support-call.mp3"

app = typer.Typer(add_completion=False, help=__doc__, no_args_is_help=True)
console = Console()

Folder = Annotated[Path, typer.Option(help="Where its files live.")]
AwsPort = Annotated[int, typer.Option(envvar="LOCAL_AWS_PORT", min=0, max=65535, help="0 takes any free one.")]
EnginePort = Annotated[int, typer.Option(envvar="LOCAL_ENGINE_PORT", min=0, max=65535, help="0 takes any free one.")]
Parameter = Annotated[list[str] | None, typer.Option(help="Name=Value of a template parameter.")]
EngineOption = Annotated[
    list[str] | None, typer.Option(help="An option for an engine that is started, such as --engine-option=--faults.")
]


@app.command()
def up(
    folder: Folder = DEFAULT_FOLDER,
    aws_port: AwsPort = 0,
    engine_port: EnginePort = 0,
    parameter: Parameter = None,
    engine_option: EngineOption = None,
) -> None:
    """Start the local AWS and the engine, build and deploy the stack, leave all of it running."""
    local, stack = _up(folder, aws_port, engine_port, parameter, engine_option)
    _tell_of_page(local, stack.page_url)
    console.print(f"Use it:  source {_short(folder / 'env')}; aws s3 cp some.mp3 s3://$MEDIA_BUCKET/some.mp3")
    console.print(f"Stop it: {_how_to_stop(folder)}")


@app.command()
def down(folder: Folder = DEFAULT_FOLDER) -> None:
    """Stop what `up` started."""
    local = Local.at(folder)
    if not (local.aws or local.engine):
        console.print("Nothing is running.")
    local.stop(_step)


@app.command()
def demo(folder: Folder = DEFAULT_FOLDER, aws_port: AwsPort = 0, engine_port: EnginePort = 0) -> None:
    """The main job, here: a sample call becomes highlights, read back from DynamoDB and S3."""
    local, stack = _up(folder, aws_port, engine_port, None, None)
    console.rule("a recording becomes highlights")
    key = f"calls/{time.strftime('%Y-%m-%d')}/support-call-{time.strftime('%H%M%S')}.mp3"
    try:
        row = upload_and_follow(console, stack, SAMPLE, key, timeout_seconds=300)
    except TimeoutError as late:
        _stop_with(f"{late} See {_short(folder)}/engine/log.txt and aws/log.txt.")
    if row["status"] != "completed":
        _stop_with(f"The recording is {row['status']}: {row.get('reason')}")
    items = recordings.highlights(stack, row["recording_id"])
    console.print()
    console.print(highlights_view(row, items))
    console.print()
    differences = recordings.disagreements(items, recordings.document(row["highlights_uri"]))
    if differences or not items:
        _stop_with("DynamoDB and S3 disagree:\n" + "\n".join(differences or ["no highlights at all"]))
    console.print(
        f"DynamoDB (table {stack.highlights_table}) and S3 ({row['highlights_uri']}) agree on {len(items)} highlights.",
        highlight=False,
        soft_wrap=True,
    )
    console.print("\n[bold]Hear them:[/]  click a phrase on the page, and it plays.")
    _tell_of_page(local, f"{stack.page_url}?recording={row['recording_id']}")
    console.print(
        f"\nIt keeps running.  Another recording:  make upload FILE=path/to/your.mp3, or drop it onto the page\n"
        f"Any AWS client:    source {_short(folder / 'env')}; aws s3 ls s3://$RESULTS_BUCKET --recursive\n"
        f"Stop it:           {_how_to_stop(folder)}",
        highlight=False,
        soft_wrap=True,
    )


@app.command()
def view(folder: Folder = DEFAULT_FOLDER, aws_port: AwsPort = 0, engine_port: EnginePort = 0) -> None:
    """Open the page in a browser; what it needs is started where it does not run."""
    local, stack = _up(folder, aws_port, engine_port, None, None)
    _tell_of_page(local, stack.page_url)
    if not webbrowser.open(stack.page_url):
        console.print("No browser could be started here: open the address yourself.")


def _up(
    folder: Path, aws_port: int, engine_port: int, parameters: list[str] | None, engine_options: list[str] | None
) -> tuple[Local, Stack]:
    if wrong := [pair for pair in parameters or [] if "=" not in pair]:
        message = f"{wrong[0]} is not Name=Value."
        raise typer.BadParameter(message, param_hint="--parameter")
    local = Local.at(folder)
    local.engine_options = tuple(engine_options or ())
    running = local.is_running()
    try:
        with console.status("starting, building and deploying ..."):
            local.start(_step, aws_port, engine_port)
            local.build(_step)
            local.deploy(_step, parameters=dict(pair.split("=", 1) for pair in parameters or []))
    except BaseException as trouble:
        if not running:  # nothing half-started stays behind; what ran before goes on
            local.stop(_step)
        if isinstance(trouble, StartFailed | DeployFailed):
            _stop_with(str(trouble))
        raise
    os.environ.update(local.client_environment())
    for name in FOREIGN_VARIABLES:
        os.environ.pop(name, None)
    stack = Stack.named(DEFAULT_STACK_NAME)
    local.add_user(stack.outputs)
    local.write_env(stack.name, stack.outputs)
    _step(f"Stack {stack.name} is deployed; uploads go to s3://{stack.media_bucket}.")
    return local, stack


def _tell_of_page(local: Local, address: str) -> None:
    console.print(f"Page:    {address}", highlight=False, soft_wrap=True, markup=False)
    console.print(
        f"User:    {PAGE_USER}   Password: {local.page_password}", highlight=False, soft_wrap=True, markup=False
    )


def _step(text: str) -> None:
    console.print("[green]›[/]", escape(text), highlight=False, soft_wrap=True)


def _stop_with(text: str) -> typer.Exit:
    console.print(text, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(1)


def _how_to_stop(folder: Path) -> str:
    return "make local-down" if folder == DEFAULT_FOLDER else f"{sys.executable} -m local down --folder {folder}"


def _short(path: Path) -> str:
    return os.path.relpath(path)


if __name__ == "__main__":
    app()
