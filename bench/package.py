"""How many bytes are shipped."""

import io
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bench.as_on_lambda import FUNCTIONS, build_layer
from bench.report import PROJECT, Say, Table

_BIGGEST = 8


def measure(say: Say) -> Iterator[Table]:
    """The layer and the functions, and what takes most room in the layer."""
    with tempfile.TemporaryDirectory() as name:
        say("building the layer")
        parts = {"layer": build_layer(Path(name, "layer")).parent}
        parts |= {f"`{one}`": PROJECT / "functions" / one for one in FUNCTIONS}
        sizes = {part: (zipped(folder), unpacked(folder)) for part, folder in parts.items()}
        sizes["all"] = (sum(one for one, _ in sizes.values()), sum(one for _, one in sizes.values()))
        biggest = _packages(parts["layer"] / "python").most_common(_BIGGEST)
    yield Table(
        "Package",
        ("", "zipped, kB", "unpacked, kB"),
        [(part, f"{packed / 1000:.1f}", f"{bare / 1000:.1f}") for part, (packed, bare) in sizes.items()],
        "What `sam deploy` uploads. Lambda's limit for function and layers together is 250 MB unpacked.",
    )
    yield Table(
        "What takes most room in the layer",
        ("", "unpacked, kB"),
        [(package, f"{size / 1000:.0f}") for package, size in biggest],
    )


def zipped(folder: Path) -> int:
    """Bytes of the folder as sam packs it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in _files(folder):
            archive.write(path, path.relative_to(folder))
    return packed.tell()


def unpacked(folder: Path) -> int:
    """Bytes of the files in the folder."""
    return sum(path.stat().st_size for path in _files(folder))


def _packages(python: Path) -> Counter[str]:
    """Bytes of what stands at the top of the layer."""
    found: Counter[str] = Counter()
    for path in _files(python):
        found[path.relative_to(python).parts[0]] += path.stat().st_size
    return found


def _files(folder: Path) -> list[Path]:
    """As a build takes them: through links, and without what running the code has left in the project's own folders."""
    found = (path for path in folder.rglob("*", recurse_symlinks=True) if path.is_file())
    return sorted(path for path in found if PROJECT not in path.parents or "__pycache__" not in path.parts)
