"""What a cold start loads and builds must not grow unnoticed. The numbers are what it takes today."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench.as_on_lambda import FLOOR, FUNCTIONS, Start, runtime, start, start_function

ROOT = Path(__file__).parents[2]
# Beyond those of boto3 and one client; a few are left for what other releases of the packages may add.
MOST_MODULES = {"webhook": 80, "submit": 185, "results": 185, "check": 180, "sweep": 185, "api": 190}
CLIENTS = {
    "webhook": ["secretsmanager", "sqs"],
    "submit": ["dynamodb", "s3", "secretsmanager", "sts"],
    "results": ["dynamodb", "s3", "secretsmanager"],
    "check": ["secretsmanager"],
    "sweep": ["dynamodb", "secretsmanager"],
    "api": ["dynamodb"],
}
# Heavy, and of no use: who imports one of them by the way pays for it at each cold start.
NOWHERE = {"assemblyai", "pydantic", "aws_xray_sdk", "awscrt", "aws_lambda_powertools.utilities.batch"}
ONLY_IN = {
    "requests": {"submit", "results", "check", "sweep"},
    "charset_normalizer": {"submit", "results", "check", "sweep"},
    "aws_lambda_powertools.event_handler": {"api"},
    "aws_lambda_powertools.utilities.data_classes": {"api"},
    "asyncio": {"api"},
}
# In the layer's place: our own code, and the packages of its requirements that the runtime does not have.
IN_THE_LAYER = ("aws_lambda_powertools", "certifi", "charset_normalizer", "idna", "requests", "typing_extensions")


@dataclass
class Starts:
    """The floor, and the start of each function."""

    floor: Start
    of: dict[str, Start]


@pytest.fixture(scope="module")
def starts(tmp_path_factory: pytest.TempPathFactory) -> Starts:
    folder = tmp_path_factory.mktemp("lambda")
    packages = runtime(folder / "runtime", compiled=False)
    layer = folder / "layer"
    layer.mkdir()
    (layer / "audio_highlights").symlink_to(ROOT / "layers" / "shared" / "audio_highlights")
    for name in IN_THE_LAYER:
        spec = find_spec(name)
        assert spec
        assert spec.origin
        found = Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)
        (layer / found.name).symlink_to(found)
    return Starts(
        floor=start(FLOOR, last=(packages,)),
        of={name: start_function(name, layer, packages, count=True) for name in FUNCTIONS},
    )


def test_every_function_has_a_budget() -> None:
    assert {app.parent.name for app in (ROOT / "functions").glob("*/app.py")} == set(FUNCTIONS) == set(MOST_MODULES)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_loads_no_more_modules_than_today(starts: Starts, name: str) -> None:
    beyond = starts.of[name].modules.keys() - starts.floor.modules.keys()
    assert len(beyond) <= MOST_MODULES[name], sorted(beyond)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_loads_nothing_that_it_does_not_use(starts: Starts, name: str) -> None:
    unwanted = NOWHERE | {package for package, users in ONLY_IN.items() if name not in users}
    assert not unwanted & starts.of[name].modules.keys()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_one_client_is_built_at_the_start_for_each_service_that_nearly_every_event_needs(
    starts: Starts, name: str
) -> None:
    assert sorted(starts.of[name].services) == CLIENTS[name]
