"""A small soak: many things go wrong for some recordings at once, on a stack of its own, and the counts agree."""

import os
from pathlib import Path

import pytest
from rich.console import Console

from tests.running_system import running, say
from tests.soak.audit import audit
from tests.soak.display import watching
from tests.soak.plan import make_plan
from tests.soak.run import Soak
from tests.soak.system import ENGINE_OPTIONS, Size, System


@pytest.mark.timeout(900)
@pytest.mark.skipif("E2E_STACK_NAME" in os.environ, reason="kills functions and scripts the provider: local only")
def test_after_faults_of_every_kind_and_killed_functions_the_counts_agree(tmp_path: Path) -> None:
    plan = make_plan(seed=1, uploads=60)
    with running(tmp_path, *ENGINE_OPTIONS) as local:
        system = System.deployed(local, say, Size(max_concurrency=2, max_in_flight=15, overdue_minutes=0))
        with watching(Console(stderr=True)) as show:
            seen = Soak(plan, system, show).run(limit_seconds=600)
    counts = audit(plan, seen)
    assert [(count.name, count.disagreements) for count in counts if not count.agrees] == []
    assert seen.faults_done
    # Extra ones that are deleted and noted are no disagreement, but none of these faults should lead to one.
    assert [number for count in counts for name, number in count.parts if name == "extra ones, deleted"] == [0]
