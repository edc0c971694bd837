"""The commands: `python -m cli --help`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli import recordings
from cli.display import highlights_view, upload_and_follow
from cli.stack import Stack, StackNotFound

app = typer.Typer(add_completion=False, help=__doc__, no_args_is_help=True)
console = Console()


@app.callback()
def main() -> None:
    """Work with the recordings of a stack."""


@app.command()
def upload(
    path: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="The recording.")],
    stack_name: Annotated[str, typer.Option("--stack", envvar="STACK_NAME")] = "audio-highlights",
    key: Annotated[str | None, typer.Option(help="The object key; the file's name by default.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the end.")] = 1800,
) -> None:
    """Upload a recording, follow it and show its highlights. Exits 1 if it does not complete."""
    try:
        stack = Stack.named(stack_name)
        row = upload_and_follow(console, stack, path, key or path.name, timeout)
    except (StackNotFound, TimeoutError) as trouble:
        console.print(str(trouble), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    if row["status"] != "completed":
        console.print(
            f"{row['status']}: {row.get('reason')}", style="red", markup=False, highlight=False, soft_wrap=True
        )
        raise typer.Exit(1)
    console.print(highlights_view(row, recordings.highlights(stack, row["recording_id"])))


if __name__ == "__main__":
    app()
