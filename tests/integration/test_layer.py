"""The layer as sam build makes it."""

from importlib.util import MAGIC_NUMBER
from pathlib import Path

import pytest

from bench.as_on_lambda import FUNCTIONS, build_layer, runtime, start_function
from bench.package import zipped
from local.stack import PROJECT

MOST_BYTES = 2_000_000  # zipped: the layer and all functions
_UNCHECKED = 0b01.to_bytes(4, "little")  # PEP 552: the bytecode of whatever source stands beside it, or of none


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_layer(tmp_path_factory.mktemp("build") / "layer")


def test_layer_and_functions_take_under_two_megabytes_zipped(layer: Path) -> None:
    assert zipped(layer.parent) + sum(zipped(PROJECT / "functions" / name) for name in FUNCTIONS) <= MOST_BYTES


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_finds_what_it_needs_and_none_of_it_uncompiled(layer: Path, tmp_path: Path, name: str) -> None:
    started = start_function(name, layer, runtime(tmp_path / "runtime", compiled=False))
    ours = {Path(file) for file in started.modules.values() if file and layer in Path(file).parents}
    assert {"audio_highlights", "aws_lambda_powertools"} <= {path.relative_to(layer).parts[0] for path in ours}
    for path in ours:
        assert path.suffix == ".pyc" or (path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc").is_file(), path


def test_the_bytecode_is_taken_as_it_is_and_names_its_place_on_lambda(layer: Path) -> None:
    compiled = list(layer.rglob("*.pyc"))
    assert len(compiled) > 100
    for path in compiled:
        content = path.read_bytes()
        assert (content[:4], content[4:8]) == (MAGIC_NUMBER, _UNCHECKED), path
        assert f"/opt/python/{path.relative_to(layer).parts[0].removesuffix('c')}".encode() in content, path
        assert str(layer).encode() not in content, path


def test_our_own_code_has_its_source_for_tracebacks(layer: Path) -> None:
    for path in (PROJECT / "layers" / "shared" / "audio_highlights").glob("*.py"):
        assert (layer / "audio_highlights" / path.name).read_bytes() == path.read_bytes()


def test_the_same_sources_are_the_same_layer(layer: Path, tmp_path: Path) -> None:
    again = build_layer(tmp_path / "again")
    files = {path.relative_to(layer): path.read_bytes() for path in layer.rglob("*") if path.is_file()}
    assert {path.relative_to(again): path.read_bytes() for path in again.rglob("*") if path.is_file()} == files
