"""The plan of a soak: the same for the same seed, and it holds what it promises."""

import json
from collections import Counter
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_highlights.errors import MalformedMessage
from audio_highlights.media_type import not_media
from audio_highlights.models import Upload
from local.engine.fault_script import read_script
from tests.soak.plan import SMALLEST, Content, Deletion, Plan, PlannedUpload, make_plan

plans = st.builds(make_plan, st.integers(0, 10**9), st.integers(SMALLEST, 400))


def tagged(plan: Plan) -> dict[str, PlannedUpload]:
    return {upload.tag: upload for upload in plan.uploads}


@given(st.integers(0, 10**9), st.integers(SMALLEST, 200))
def test_the_same_seed_gives_the_same_plan_and_bytes(seed: int, count: int) -> None:
    first, again = make_plan(seed, count), make_plan(seed, count)
    assert first == again
    assert [first.body(upload) for upload in first.uploads] == [again.body(upload) for upload in again.uploads]


def test_only_a_long_soak_stops_the_line_of_all() -> None:
    def stops(plan: Plan) -> list[Any]:
        return [fault for fault in plan.faults if fault["do"] == "negative-balance"]

    assert not stops(make_plan(1, 400))
    assert len(stops(make_plan(1, 1000))) == 2


def test_another_seed_gives_another_plan() -> None:
    assert len({json.dumps(make_plan(seed, 100).faults) for seed in range(20)}) == 20


def test_too_few_uploads_are_refused() -> None:
    with pytest.raises(ValueError, match=f"at least {SMALLEST} uploads"):
        make_plan(1, SMALLEST - 1)


@given(st.integers(0, 10**9), st.integers(SMALLEST, 400))
def test_there_are_as_many_uploads_as_asked_for(seed: int, count: int) -> None:
    assert len(make_plan(seed, count).uploads) == count


@given(plans)
def test_no_two_recordings_share_their_bytes_or_their_tag(plan: Plan) -> None:
    bodies = [plan.body(upload) for upload in plan.uploads if upload.content is not Content.EMPTY]
    assert len(set(bodies)) == len(bodies)
    assert len(tagged(plan)) == len(plan.uploads)


@given(plans)
def test_a_tag_stands_in_the_keys_of_its_own_group_alone(plan: Plan) -> None:
    groups = [list(group) for _, group in groupby(plan.uploads, key=lambda upload: upload.key)]
    assert len({group[0].key for group in groups}) == len(groups), "uploads of one key are next to each other"
    for group in groups:
        assert len(group) <= 2
        assert group[0].tag in group[0].key
    assert all(len(upload.key.encode()) <= 1024 for upload in plan.uploads)


def test_among_many_uploads_there_are_keys_as_long_as_s3_lets_them_be() -> None:
    assert max(len(upload.key.encode()) for upload in make_plan(1, 1000).uploads) > 800


@given(plans)
def test_what_may_only_be_ignored_is_no_media_and_the_rest_may_be(plan: Plan) -> None:
    for upload in plan.uploads:
        body = plan.body(upload)
        usable = bool(body) and not_media(body) is None
        assert usable == (upload.ends != {"ignored"})
        assert (upload.content is Content.MEDIA) == usable


@given(plans)
def test_everything_happens_at_least_once(plan: Plan) -> None:
    happens = {f"{fault['on']} {fault['do']}" for fault in plan.faults}
    happens |= {f"accepted {fault['do']}" for fault in plan.faults if fault.get("accepted")}
    assert {
        "create 429", "create 500", "create 503", "create reset", "create not-json",
        "accepted reset", "accepted not-json", "get 500", "get reset",
        "webhook lost", "webhook late", "webhook repeated", "webhook wrong-id", "webhook early",
        "job error", "job download-error", "job unavailable", "job no-results", "job processing",
    } <= happens  # fmt: skip
    assert {kill.function for kill in plan.kills} >= {"submit", "results"}
    assert {upload.deletion for upload in plan.uploads} == {None, *Deletion}
    assert {upload.content for upload in plan.uploads} == set(Content)
    assert any(upload.key.endswith("/") for upload in plan.uploads)
    assert len({upload.key for upload in plan.uploads}) < len(plan.uploads), "no key is overwritten"
    assert any(upload.repeats for upload in plan.uploads)
    assert len(plan.poison) >= 3


@given(plans)
def test_the_engine_takes_the_script_and_each_fault_means_one_single_recording(plan: Plan) -> None:
    faults = read_script(json.dumps(plan.faults).encode())
    keys = Counter(upload.key for upload in plan.uploads)
    for fault in faults:
        [meant] = [upload for upload in plan.uploads if fault.match in upload.key]
        assert keys[meant.key] == 1
        assert meant.content is Content.MEDIA
        assert meant.deletion is None
    per_point = Counter((fault.on, fault.match) for fault in faults)
    assert set(per_point.values()) == {1}, "two faults of one kind for one recording"


@given(plans)
def test_of_some_transcripts_nobody_hears_anything(plan: Plan) -> None:
    unanswered = {fault["match"] for fault in plan.faults if fault.get("accepted")}
    assert unanswered & {fault["match"] for fault in plan.faults if fault["do"] == "lost"}


@given(plans)
def test_some_events_come_again_while_their_create_is_not_answered(plan: Plan) -> None:
    slow = [tagged(plan)[fault["match"]] for fault in plan.faults if fault["do"] == "hang"]
    assert slow
    for upload in slow:
        assert [repeat.delay_seconds for repeat in upload.repeats] == [0, 0]


@given(plans)
def test_it_ends(plan: Plan) -> None:
    for fault in plan.faults:
        assert fault.get("times", 1) <= (2 if fault["on"] != "job" else 9)
        assert fault.get("seconds", 0) <= 20
    for upload in plan.uploads:
        assert len(upload.repeats) in (0, 2, 3)
        assert all(repeat.delay_seconds <= 20 for repeat in upload.repeats)
    assert sum(kill.gap_seconds for kill in plan.kills) <= 6 * max(2, len(plan.uploads) // 20)


@given(plans)
def test_a_fault_of_a_job_says_how_its_recording_ends(plan: Plan) -> None:
    ends: dict[str, Any] = {"error": ("failed", None), "unavailable": ("completed", "unavailable")}
    for fault in plan.faults:
        if fault["on"] == "job" and fault["do"] in ends:
            upload = tagged(plan)[fault["match"]]
            assert (*upload.ends, upload.highlights_status) == ends[fault["do"]]


@given(plans)
def test_most_recordings_complete(plan: Plan) -> None:
    completed = [upload for upload in plan.uploads if upload.ends == {"completed"}]
    assert len(completed) > len(plan.uploads) * 0.7


@given(plans)
def test_every_poison_is_unreadable_and_like_no_other(plan: Plan) -> None:
    bodies = [poison.body for poison in plan.poison]
    assert len(set(bodies)) == len(bodies)
    for poison in plan.poison:
        assert 0 <= poison.after_uploads < len(plan.uploads)
        with pytest.raises((MalformedMessage, ValueError, RecursionError)):
            Upload.from_event(json.loads(poison.body))
