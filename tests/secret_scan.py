"""No key may stand in a file of the project: detect-secrets over all that git has or would add.

`python -m tests.secret_scan` names what .secrets.baseline, the list of made-up values, does not have.
"""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from detect_secrets import SecretsCollection
from detect_secrets.core import baseline

ROOT = Path(__file__).parents[1]
BASELINE = ".secrets.baseline"

# What a line of the list and a find have in common; the line's number changes with every edit above it.
Find = tuple[str, str, str]


def files() -> list[str]:
    """What git has or would add, relative to the project. Raises CalledProcessError where there is no git."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [name for name in listed.split("\0") if (ROOT / name).is_file()]


def found(root: Path, names: Iterable[str]) -> dict[Find, int]:
    """What looks like a secret in these files, with its line; plugins and filters are those of the baseline."""
    baseline.load(baseline.load_from_file(str(ROOT / BASELINE)), BASELINE)
    secrets = SecretsCollection(root=str(root))
    secrets.scan_files(*names)
    return {(name, one.type, one.secret_hash): one.line_number for name, one in secrets}


def accepted() -> set[Find]:
    """What someone has looked at and found to be made up."""
    listed = baseline.load(baseline.load_from_file(str(ROOT / BASELINE)), BASELINE)
    return {(name, one.type, one.secret_hash) for name, one in listed}


def main() -> int:
    """Print what is new; 1 where there is something."""
    known = accepted()
    new = {find: line for find, line in found(ROOT, files()).items() if find not in known}
    for (name, kind, _), line in sorted(new.items()):
        print(f"{name}:{line}: {kind}")  # noqa: T201
    if new:
        print(  # noqa: T201
            "\nThis looks like a secret. A real one: take it out, and revoke it. A made-up one: "
            f"`.venv/bin/detect-secrets scan --baseline {BASELINE}`, and commit that too."
        )
    return int(bool(new))


if __name__ == "__main__":
    sys.exit(main())
