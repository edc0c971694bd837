"""Work with the recordings of a stack, on AWS or on this machine, with your own credentials.

Exit codes: 0 fine, 1 something failed or is not there, 2 the command cannot be meant so, 3 waited in vain, 4 no such
stack, or AWS refuses.
"""

import typer

from cli.commands import backfilling, operating, ordering, reading, uploading
from cli.output import Commands

app = typer.Typer(cls=Commands, add_completion=False, help=__doc__, no_args_is_help=True)


@app.callback()
def main() -> None:
    """What all commands share: nothing."""


main.__doc__ = __doc__

app.command()(uploading.upload)
app.command("list")(reading.list_)
app.command()(reading.show)
app.command()(reading.watch)
app.command()(reading.search)
app.command()(reading.phrases)
app.command()(ordering.retry)
app.command()(ordering.delete)
app.command()(backfilling.backfill)
app.command()(operating.cost)
app.command("doctor")(operating.examine)
app.command()(operating.redrive)

if __name__ == "__main__":
    app()
