"""No key may stand in a file of the project: detect-secrets over all that git has or would add.

`python -m tests.secret_scan` names what .secrets.baseline, the list of made-up values, does not have; with --accept it
writes that list.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from detect_secrets.core.potential_secret import PotentialSecret
from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import default_settings

ROOT = Path(__file__).parents[1]
BASELINE = ROOT / ".secrets.baseline"
_LOCKS = ("uv.lock", "package-lock.json")  # hashes by the thousand, and nobody types them
_ASKS_THE_NETWORK = "detect_secrets.filters.common.is_ignored_due_to_verification_policies"

# As AssemblyAI's keys are, wherever they stand: detect-secrets wants quotes or a telling name.
_API_KEY = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{32}(?![0-9A-Za-z])")

# File, kind and hash of a value. Not its line, which changes with every edit above it.
Find = tuple[str, str, str]


def files() -> list[str]:
    """What git has or would add, relative to the project. Raises CalledProcessError where there is no git."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return [name for name in listed if (ROOT / name).is_file() and not name.endswith((*_LOCKS, BASELINE.name))]


def found(root: Path, names: Sequence[str]) -> dict[Find, int]:
    """What looks like a secret in these files, with its line."""
    secrets = SecretsCollection(root=str(root))
    with default_settings() as settings:
        settings.disable_filters(_ASKS_THE_NETWORK)
        secrets.scan_files(*names)
    finds = {(name, one.type, one.secret_hash): one.line_number for name, one in secrets}
    return finds | {find: line for name in names for find, line in _api_keys(root, name)}


def _api_keys(root: Path, name: str) -> Iterator[tuple[Find, int]]:
    text = (root / name).read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        for value in _API_KEY.findall(line):
            yield (name, "AssemblyAI API key", PotentialSecret.hash_secret(value)), number


def accepted() -> set[Find]:
    """What someone has looked at and found to be made up."""
    return {(name, kind, value) for name, kind, value in json.loads(BASELINE.read_text(encoding="utf-8"))}


def main() -> int:
    """Print what is new, and return 1 where there is something; or accept all of it."""
    finds = found(ROOT, files())
    if "--accept" in sys.argv:
        lines = ",\n".join(json.dumps(find) for find in sorted(finds))
        BASELINE.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
        return 0
    new = sorted(set(finds) - accepted())
    for find in new:
        print(f"{find[0]}:{finds[find]}: {find[1]}")  # noqa: T201
    if new:
        print(  # noqa: T201
            "\nThis looks like a secret. A real one: take it out, and revoke it where it is valid. "
            f"One that is made up: `make secrets-baseline`, and commit {BASELINE.name} too."
        )
    return int(bool(new))


if __name__ == "__main__":
    sys.exit(main())
