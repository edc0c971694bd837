"""The simulation behind docs/scale.md: what must hold in any run, and that it gives what was measured."""

import json
import statistics
from dataclasses import replace

import pytest

from bench.limits import TEXT_ID_BYTES, item_units, limits
from bench.measured_line import MEASURED
from bench.scale import PAGE, compared, quick_tables, renewed
from bench.simulation import Pipeline, Settings, at_once, by_rate, transcripts
from tests.deployed_template import as_written

FREE = Settings(max_in_flight=5, provider_parallel=5)
NO_LINE = replace(FREE, max_in_flight=10**9, units_a_second=float("inf"))


@pytest.mark.parametrize(
    "settings",
    [
        FREE,
        Settings(max_in_flight=3, provider_parallel=200, max_concurrency=20),
        Settings(max_in_flight=20, provider_parallel=200, lost_webhooks=0.3),
        Settings(max_in_flight=20, provider_parallel=7, url_seconds=60),  # the provider lets them wait all the same
        Settings(max_in_flight=50, provider_parallel=200, units_a_second=5),
    ],
)
def test_never_more_than_max_in_flight_and_every_recording_ends(settings: Settings) -> None:
    outcome = Pipeline(settings).run(at_once(200, transcripts()))
    assert outcome.most_at_provider <= settings.max_in_flight
    assert max(seen.in_flight for seen in outcome.seen) <= settings.max_in_flight
    assert len(outcome.recordings) == 200
    assert all(one.ended for one in outcome.recordings)


def test_a_thousand_uploads_on_a_free_plan_all_complete_and_no_url_grows_old() -> None:
    outcome = Pipeline(FREE).run(at_once(1000, transcripts()), 10)
    assert outcome.most_at_provider == 5
    assert outcome.failed == 0
    assert outcome.too_old == 0
    work = sum(one.transcript_seconds for one in outcome.recordings)
    assert work / 5 < outcome.last < 1.15 * work / 5  # the places are hardly ever empty


def test_without_the_line_urls_grow_too_old_and_recordings_fail() -> None:
    outcome = Pipeline(replace(NO_LINE, url_seconds=300)).run(at_once(1000, transcripts()), 60)
    assert outcome.too_old > 0.5
    assert outcome.failed > 0
    assert all(one.too_old == 4 for one in outcome.recordings if one.failed)


def test_littles_law_holds() -> None:
    hours = 3
    outcome = Pipeline(Settings()).run(by_rate([2000] * hours, transcripts()))
    within = [seen.open for seen in outcome.seen if seen.time < 3600 * hours]
    rate = len(outcome.recordings) / (3600 * hours)
    took = statistics.mean(one.seconds for one in outcome.recordings)
    assert statistics.mean(within) == pytest.approx(rate * took, rel=0.02)


def test_a_lost_webhook_is_made_up_for_by_the_sweep() -> None:
    outcome = Pipeline(Settings(lost_webhooks=1)).run(at_once(20, transcripts()))
    assert all(900 < one.seconds < 900 + 300 + 60 for one in outcome.recordings)


def test_who_waits_is_served_in_the_order_of_the_uploads_but_for_the_shards() -> None:
    uploads = [(float(number), 30.0) for number in range(100)]
    outcome = Pipeline(FREE).run(uploads)
    begun = [one.begun for one in outcome.recordings]
    assert statistics.correlation(begun, range(100)) > 0.9


def test_the_same_seed_gives_the_same_run() -> None:
    runs = [Pipeline(Settings(lost_webhooks=0.1), seed=7).run(at_once(50, transcripts())) for _ in range(2)]
    first, second = ([one.completed for one in run.recordings] for run in runs)
    assert first == second


def test_it_reproduces_what_was_measured() -> None:
    for case in compared(json.loads(MEASURED.read_text(encoding="utf-8"))):
        assert statistics.median(case.simulated) == pytest.approx(statistics.median(case.measured), rel=0.1)
        assert max(case.simulated) == pytest.approx(max(case.measured), rel=0.1)
        assert max(case.simulated_ages) == pytest.approx(max(case.measured_ages), rel=0.1, abs=0.5)


def test_the_defaults_are_the_templates() -> None:
    parameters = as_written()["Parameters"]
    settings = Settings()
    assert settings.max_in_flight == parameters["MaxInFlight"]["Default"]
    assert settings.max_concurrency == int(parameters["MaxConcurrency"]["Default"])
    assert settings.overdue_seconds == 60 * parameters["OverdueMinutes"]["Default"]


def test_the_item_of_who_is_in_flight_takes_a_unit_per_kilobyte() -> None:
    assert [item_units(holders) for holders in (0, 200, 1000, 5000)] == [1, 4, 17, 84]
    assert item_units(1000, TEXT_ID_BYTES) == 33


def test_the_narrowest_limit_comes_first() -> None:
    bounds = [one.binds_at for one in limits()]
    assert bounds == sorted(bounds)
    assert limits()[0].what == "Parallel transcripts, free plan"


def test_the_page_says_what_the_arithmetic_and_the_prices_say() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert renewed(page, quick_tables()) == page, "renew it with `make simulation`"
