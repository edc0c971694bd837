"""Every kind of fault, on one engine that was started to show them; its words are made up."""

import http.client
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from local.engine.fault_script import CALLS, READS
from tests.integration.engine.running_engine import KEY, Engine, Web, wait_for

HEADER = {"webhook_auth_header_name": "X-Key", "webhook_auth_header_value": "s3cret"}


@pytest.fixture(scope="module")
def faulty_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Start the engine with faults on, and without recognition."""
    running = Engine(
        tmp_path_factory.mktemp("faulty"), "--faults", "--instant", "--webhook-interval", "0.02", "--workers", "1"
    )
    yield running
    assert running.stop() == 0
    log = running.log.read_text()
    assert KEY not in log
    assert "Traceback" not in log


@pytest.fixture
def faulty(faulty_engine: Engine) -> Iterator[Engine]:
    """Give the engine to a test that uses up what it scripts, or says why not."""
    yield faulty_engine
    faulty_engine.call("DELETE", "/faults")


@pytest.fixture
def recording(web: Web, refund: bytes) -> str:
    """A URL of a recording that no other test uses."""
    path = f"/{time.monotonic_ns()}.mp3"
    web.files[path] = refund
    return web.url(path + "?signature=s%2Fx")


def script(engine: Engine, *faults: dict[str, Any]) -> None:
    answer = engine.call("POST", "/faults", json=faults)
    assert answer.status_code == 200, answer.text


def state(engine: Engine) -> dict[str, Any]:
    return dict(engine.call("GET", "/faults").json())


def jobs_of(engine: Engine, url: str) -> list[str]:
    rows = engine.call("GET", "/v2/transcript?limit=200").json()["transcripts"]
    return [row["id"] for row in rows if row["audio_url"] == url]


def told(engine: Engine, transcript_id: str) -> int:
    """Wait until the outcome of the webhook is known."""
    status: int = wait_for(lambda: engine.get(transcript_id)["webhook_status_code"], "webhook outcome")
    return status


def bodies(web: Web, number: int) -> list[Any]:
    return [json.loads(web.posts.get(timeout=60).body) for _ in range(number)]


# The switch and the script


def test_without_the_flag_there_is_no_such_thing(engine: Engine) -> None:
    for path in ("/faults", "/counts"):
        assert engine.call("GET", path).status_code == 404


def test_the_script_needs_the_key(faulty: Engine) -> None:
    for method, path in (("GET", "/faults"), ("POST", "/faults"), ("DELETE", "/faults"), ("GET", "/counts")):
        assert requests.request(method, faulty.url + path, timeout=10).status_code == 401


def test_a_mistake_in_a_script_is_explained_and_none_of_it_holds(faulty: Engine) -> None:
    answer = faulty.call("POST", "/faults", json=[{"on": "get", "do": "500"}, {"on": "get", "do": "501"}])
    assert answer.status_code == 400
    assert answer.json()["error"].startswith('Fault 2, on "get": "do" must be one of "400", "401"')
    assert state(faulty)["left"] == []


def test_what_is_left_and_what_was_done_can_be_read(faulty: Engine, recording: str) -> None:
    script(faulty, {"on": "get", "do": "500", "times": 2, "match": recording})
    created = faulty.create(audio_url=recording)
    assert faulty.call("GET", f"/v2/transcript/{created['id']}").status_code == 500
    plain = recording.partition("?")[0]
    assert state(faulty) == {
        "left": [{"on": "get", "do": "500", "times": 1, "match": recording}],
        "done": [{"on": "get", "do": "500", "transcript_id": created["id"], "audio_url": plain}],
    }
    assert faulty.call("DELETE", "/faults").json() == {"left": [], "done": []}
    assert faulty.get(created["id"])["id"] == created["id"]


# Calls


@pytest.mark.parametrize(
    ("fault", "status", "error"),
    [
        ({"do": "400", "text": "No such thing"}, 400, "No such thing"),
        ({"do": "401"}, 401, "Authentication error, API token missing/invalid"),
        ({"do": "403"}, 403, "Cannot access uploaded file"),
        ({"do": "404"}, 404, "Transcript lookup error, transcript id not found"),
        ({"do": "429"}, 429, "Too Many Requests"),
        (
            {"do": "negative-balance"},
            400,
            "Your current account balance is negative. Please top up to continue using the API.",
        ),
    ],
)
def test_a_call_can_be_refused_and_makes_no_job(
    faulty: Engine, recording: str, fault: dict[str, Any], status: int, error: str
) -> None:
    script(faulty, {"on": "create", **fault})
    answer = faulty.call("POST", "/v2/transcript", json={"audio_url": recording})
    assert (answer.status_code, answer.json()) == (status, {"error": error})
    assert "Retry-After" not in answer.headers
    assert jobs_of(faulty, recording) == []
    assert faulty.create(audio_url=recording)["id"]


@pytest.mark.parametrize("on", CALLS)
def test_every_call_can_fail_by_itself(faulty: Engine, recording: str, on: str) -> None:
    made = faulty.create(audio_url=recording)["id"]
    faulty.ended(made)
    calls: dict[str, tuple[str, str, dict[str, Any]]] = {
        "upload": ("POST", "/v2/upload", {"data": b"x" * 300_000}),
        "create": ("POST", "/v2/transcript", {"json": {"audio_url": recording}}),
        "list": ("GET", "/v2/transcript", {}),
        "get": ("GET", f"/v2/transcript/{made}", {}),
        **{read: ("GET", f"/v2/transcript/{made}/{read}?words=the", {}) for read in READS},
        "delete": ("DELETE", f"/v2/transcript/{made}", {}),
    }
    script(faulty, {"on": on, "do": "503", "retry_after": 7})
    statuses = {}
    for name, (method, path, options) in calls.items():
        answer = faulty.call(method, path, **options)
        if name == on:
            assert (answer.text, answer.headers["Retry-After"]) == ("Service Unavailable", "7")
            assert answer.status_code == 503
            answer = faulty.call(method, path, **options)
        statuses[name] = answer.status_code
    assert statuses == dict.fromkeys(CALLS, 200) | {"redacted-audio": 400}  # which was not asked for


@pytest.mark.parametrize("code", [200, 502])
def test_html_can_stand_where_json_should(faulty: Engine, recording: str, code: int) -> None:
    script(faulty, {"on": "create", "do": "html", "code": code})
    answer = faulty.call("POST", "/v2/transcript", json={"audio_url": recording})
    assert answer.status_code == code
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "<html>" in answer.text
    assert jobs_of(faulty, recording) == []


@pytest.mark.parametrize("fault", ["not-json", "truncated"])
def test_json_can_be_none(faulty: Engine, recording: str, fault: str) -> None:
    made = faulty.create(audio_url=recording)["id"]
    script(faulty, {"on": "get", "do": fault})
    answer = faulty.call("GET", f"/v2/transcript/{made}")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.text
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def test_an_answer_can_lack_its_id(faulty: Engine, recording: str) -> None:
    script(faulty, {"on": "create", "do": "not-json", "text": "{}", "accepted": True})
    answer = faulty.call("POST", "/v2/transcript", json={"audio_url": recording})
    assert (answer.status_code, answer.json()) == (200, {})
    assert len(jobs_of(faulty, recording)) == 1


def test_an_answer_can_break_off(faulty: Engine) -> None:
    script(faulty, {"on": "list", "do": "broken-off"})
    with pytest.raises(requests.RequestException):
        faulty.call("GET", "/v2/transcript")


@pytest.mark.parametrize(("accepted", "jobs"), [(False, 0), (True, 1)])
def test_a_connection_can_be_reset_before_or_after_the_job_is_made(
    faulty: Engine, recording: str, accepted: bool, jobs: int
) -> None:
    script(faulty, {"on": "create", "do": "reset", "accepted": accepted})
    client = http.client.HTTPConnection("127.0.0.1", faulty.port, timeout=60)
    client.request("POST", "/v2/transcript", json.dumps({"audio_url": recording}), {"Authorization": KEY})
    with pytest.raises(ConnectionResetError):
        client.getresponse()
    client.close()
    assert len(jobs_of(faulty, recording)) == jobs
    assert state(faulty)["done"][0]["transcript_id"] == next(iter(jobs_of(faulty, recording)), None)


def test_a_job_can_be_made_and_a_failure_be_answered(faulty: Engine, recording: str) -> None:
    script(faulty, {"on": "create", "do": "500", "accepted": True})
    answer = faulty.call("POST", "/v2/transcript", json={"audio_url": recording})
    assert answer.status_code == 500
    assert answer.json()["error"].startswith("Internal server error. Please retry your request.")
    (made,) = jobs_of(faulty, recording)
    assert faulty.ended(made)["status"] == "completed"


def test_an_answer_can_come_drop_by_drop(faulty: Engine, recording: str) -> None:
    made = faulty.create(audio_url=recording)["id"]
    whole = faulty.ended(made)
    script(faulty, {"on": "get", "do": "drip", "seconds": 0.3})
    started = time.monotonic()
    assert faulty.get(made) == whole
    assert time.monotonic() - started > 0.29


@pytest.mark.parametrize(("accepted", "jobs"), [(False, 0), (True, 1)])
def test_an_answer_can_take_longer_than_the_client_waits(
    faulty: Engine, recording: str, accepted: bool, jobs: int
) -> None:
    script(faulty, {"on": "create", "do": "hang", "seconds": 1.5, "accepted": accepted})
    answered = faulty.log.read_text().count("POST /v2/transcript ")
    client = http.client.HTTPConnection("127.0.0.1", faulty.port)
    client.request("POST", "/v2/transcript", json.dumps({"audio_url": recording}), {"Authorization": KEY})
    wait_for(lambda: state(faulty)["done"] or None, "beginning of the call")
    client.close()
    wait_for(
        lambda: True if faulty.log.read_text().count("POST /v2/transcript ") > answered else None,
        "end of the call",
    )
    assert len(jobs_of(faulty, recording)) == jobs


def test_an_answer_that_hangs_comes_at_last(faulty: Engine, recording: str) -> None:
    script(faulty, {"on": "create", "do": "hang", "seconds": 0.1})
    assert faulty.create(audio_url=recording)["id"] == jobs_of(faulty, recording)[0]


# Jobs


def ended(engine: Engine, recording: str, **fault: Any) -> dict[str, Any]:
    script(engine, {"on": "job", **fault})
    return engine.ended(engine.create(audio_url=recording, auto_highlights=True)["id"])


def test_made_up_words_have_real_key_phrases(faulty: Engine, recording: str) -> None:
    transcript, again = (faulty.ended(faulty.create(audio_url=recording, auto_highlights=True)["id"]) for _ in "12")
    assert transcript["text"] == again["text"] == " ".join(word["text"] for word in transcript["words"])
    assert transcript["auto_highlights_result"] == again["auto_highlights_result"]
    assert len(transcript["auto_highlights_result"]["results"]) > 5
    assert faulty.ended(faulty.create(audio_url=recording)["id"])["auto_highlights_result"] is None
    gone = faulty.ended(faulty.create(audio_url=recording.replace(".mp3", ".gone"))["id"])
    assert gone["error"].startswith("Download error, unable to download ")


@pytest.mark.parametrize(
    ("fault", "error"),
    [({"do": "error"}, "Server error, developers have been alerted"), ({"do": "error", "text": "No"}, "No")],
)
def test_a_job_can_end_in_error(faulty: Engine, recording: str, fault: dict[str, Any], error: str) -> None:
    transcript = ended(faulty, recording, **fault)
    assert (transcript["status"], transcript["error"], transcript["text"]) == ("error", error, None)


def test_a_url_can_have_expired(faulty: Engine, recording: str, web: Web) -> None:
    assert ended(faulty, recording, do="download-error")["error"] == (
        f"Download error, unable to download {recording}. "
        "Please make sure the file exists and is accessible from the internet."
    )
    assert web.gets == []


def test_highlights_can_be_unavailable(faulty: Engine, recording: str) -> None:
    transcript = ended(faulty, recording, do="unavailable")
    assert transcript["status"] == "completed"
    assert transcript["auto_highlights_result"] == {"status": "unavailable", "results": []}


def test_highlights_can_be_null_because_of_the_language(faulty: Engine, recording: str) -> None:
    transcript = ended(faulty, recording, do="other-language", language="fr")
    assert (transcript["auto_highlights_result"], transcript["language_code"]) == (None, "fr")


def test_highlights_can_be_empty(faulty: Engine, recording: str) -> None:
    transcript = ended(faulty, recording, do="no-results")
    assert transcript["auto_highlights_result"] == {"status": "success", "results": []}
    assert transcript["text"]


def test_ranks_can_be_missing(faulty: Engine, recording: str) -> None:
    results = ended(faulty, recording, do="no-rank")["auto_highlights_result"]["results"]
    assert {frozenset(result) for result in results} == {frozenset({"count", "text", "timestamps"})}


def test_highlights_can_be_anything(faulty: Engine, recording: str) -> None:
    value = {
        "status": "success",
        "results": [{"count": 10**30, "rank": None, "text": "<b>عربي</b> 🎧", "timestamps": []}],
    }
    assert ended(faulty, recording, do="highlights", value=value)["auto_highlights_result"] == value


def test_highlights_can_be_what_json_does_not_know(faulty: Engine, recording: str) -> None:
    body = b'{"on": "job", "do": "highlights", "value": {"status": "success", "results": [{"rank": NaN}]}}'
    assert faulty.call("POST", "/faults", data=body).status_code == 200
    made = faulty.create(audio_url=recording, auto_highlights=True)["id"]
    faulty.ended(made)
    assert '"results": [{"rank": NaN}]' in faulty.call("GET", f"/v2/transcript/{made}").text


def test_words_can_be_given(faulty: Engine, recording: str) -> None:
    text = "The internet outage delayed the refund. The internet outage ended."
    transcript = ended(faulty, recording, do="words", text=text)
    assert transcript["text"] == text
    phrases = {found["text"]: found["count"] for found in transcript["auto_highlights_result"]["results"]}
    assert phrases["internet outage"] == 2


def test_a_transcript_can_be_as_long_as_ten_hours_of_speech(faulty: Engine, recording: str) -> None:
    script(faulty, {"on": "job", "do": "words", "words": 90_000})
    transcript = faulty.ended(faulty.create(audio_url=recording)["id"])
    assert len(transcript["words"]) >= 90_000
    assert transcript["audio_duration"] > 8 * 3600


def test_a_job_can_stay_in_processing(faulty: Engine, recording: str) -> None:
    script(faulty, {"on": "job", "do": "processing", "seconds": 3600})
    held, free = (faulty.create(audio_url=recording)["id"] for _ in "12")
    assert faulty.ended(free)["status"] == "completed"
    assert faulty.get(held)["status"] == "processing"
    assert faulty.call("DELETE", f"/v2/transcript/{held}").json()["status"] == "error"


def test_a_job_can_stay_queued_and_others_pass_it(faulty: Engine, recording: str) -> None:
    script(faulty, {"on": "job", "do": "queued", "seconds": 0.2}, {"on": "job", "do": "queued", "seconds": 3600})
    short, long, free = (faulty.create(audio_url=recording) for _ in "123")
    assert [one["status"] for one in (short, long, free)] == ["queued", "queued", "processing"]
    assert faulty.ended(free["id"])["status"] == faulty.ended(short["id"])["status"] == "completed"
    assert faulty.get(long["id"])["status"] == "queued"
    assert faulty.call("DELETE", f"/v2/transcript/{long['id']}").json()["status"] == "error"


def test_a_transcript_can_vanish(faulty: Engine, recording: str, web: Web) -> None:
    script(faulty, {"on": "job", "do": "vanishes"})
    made = faulty.create(audio_url=recording, webhook_url=web.url("/hook"))["id"]
    assert bodies(web, 1) == [{"transcript_id": made, "status": "completed"}]
    answer = faulty.call("GET", f"/v2/transcript/{made}")
    assert (answer.status_code, answer.json()["error"]) == (400, "Transcript lookup error, transcript id not found")
    assert jobs_of(faulty, recording) == []


# Webhooks


def made_with_webhook(engine: Engine, web: Web, recording: str, *faults: dict[str, Any]) -> str:
    script(engine, *({"on": "webhook", **fault} for fault in faults))
    return str(engine.create(audio_url=recording, webhook_url=web.url("/hook?recording=r1"), **HEADER)["id"])


def test_a_webhook_can_be_lost(faulty: Engine, web: Web, recording: str) -> None:
    lost = made_with_webhook(faulty, web, recording, {"do": "lost"})
    assert faulty.ended(lost)["status"] == "completed"
    sent = made_with_webhook(faulty, web, recording)
    assert told(faulty, sent) == 200
    assert bodies(web, 1) == [{"transcript_id": sent, "status": "completed"}]
    assert web.posts.empty()
    assert faulty.get(lost)["webhook_status_code"] is None


def test_a_webhook_can_come_many_times(faulty: Engine, web: Web, recording: str) -> None:
    made = made_with_webhook(faulty, web, recording, {"do": "repeated", "copies": 4, "seconds": 0.01})
    assert bodies(web, 4) == [{"transcript_id": made, "status": "completed"}] * 4
    assert told(faulty, made) == 200
    assert web.posts.empty()


def test_a_webhook_can_come_before_its_id_is_known(faulty: Engine, web: Web, recording: str) -> None:
    web.post_gate = threading.Event()
    script(faulty, {"on": "webhook", "do": "early", "before": "answer"}, {"on": "webhook", "do": "lost"})
    answers: list[dict[str, Any]] = []

    def create() -> None:
        answers.append(faulty.create(audio_url=recording, webhook_url=web.url("/hook"), **HEADER))

    creating = threading.Thread(target=create)
    creating.start()
    post = web.posts.get(timeout=60)
    assert creating.is_alive()
    assert answers == []
    web.post_gate.set()
    creating.join()
    assert json.loads(post.body) == {"transcript_id": answers[0]["id"], "status": "completed"}
    assert post.headers["X-Key"] == "s3cret"
    assert faulty.ended(answers[0]["id"])["webhook_status_code"] is None


def test_a_webhook_can_say_completed_while_the_job_is_processing(faulty: Engine, web: Web, recording: str) -> None:
    web.post_gate = threading.Event()
    made = made_with_webhook(faulty, web, recording, {"do": "early", "before": "completion"})
    assert bodies(web, 1) == [{"transcript_id": made, "status": "completed"}]
    assert faulty.get(made)["status"] == "processing"
    web.post_gate.set()
    assert bodies(web, 1) == [{"transcript_id": made, "status": "completed"}]
    assert faulty.get(made)["status"] == "completed"


def test_an_early_webhook_that_is_refused_is_repeated_like_any(faulty: Engine, web: Web, recording: str) -> None:
    web.webhook_statuses = itertools.chain((503, 503), itertools.repeat(200))
    early, lost = {"do": "early", "before": "answer"}, {"do": "lost"}
    made = made_with_webhook(faulty, web, recording, early, lost)
    assert bodies(web, 3) == [{"transcript_id": made, "status": "completed"}] * 3


def test_a_webhook_can_be_late(faulty: Engine, web: Web, recording: str) -> None:
    started = time.monotonic()
    made = made_with_webhook(faulty, web, recording, {"do": "late", "seconds": 0.5})
    faulty.ended(made)
    assert bodies(web, 1) == [{"transcript_id": made, "status": "completed"}]
    assert time.monotonic() - started > 0.5


def test_a_webhook_can_name_another_transcript(faulty: Engine, web: Web, recording: str) -> None:
    first = made_with_webhook(faulty, web, recording)
    told(faulty, first)
    made = made_with_webhook(faulty, web, recording, {"do": "wrong-id", "id": "previous"})
    assert told(faulty, made) == 200
    given = made_with_webhook(faulty, web, recording, {"do": "wrong-id", "id": "x'y"})
    assert told(faulty, given) == 200
    unknown = made_with_webhook(faulty, web, recording, {"do": "wrong-id"})
    assert told(faulty, unknown) == 200
    ids = [body["transcript_id"] for body in bodies(web, 4)]
    assert ids[:3] == [first, first, "x'y"]
    assert faulty.call("GET", f"/v2/transcript/{ids[3]}").status_code == 400


def test_a_webhook_can_have_the_wrong_status(faulty: Engine, web: Web, recording: str) -> None:
    made = made_with_webhook(faulty, web, recording, {"do": "wrong-status"}, {"do": "wrong-status", "status": "queued"})
    told(faulty, made)
    told(faulty, made_with_webhook(faulty, web, recording))
    assert [body["status"] for body in bodies(web, 2)] == ["error", "queued"]


def test_a_webhook_can_lack_its_header_or_have_a_wrong_one(faulty: Engine, web: Web, recording: str) -> None:
    for fault in ({"do": "wrong-header"}, {"do": "wrong-header", "header_value": "old"}, {"do": "no-header"}):
        told(faulty, made_with_webhook(faulty, web, recording, fault))
    assert [web.posts.get(timeout=60).headers.get("X-Key") for _ in range(3)] == ["wrong", "old", None]


def test_a_webhook_can_have_any_body(faulty: Engine, web: Web, recording: str) -> None:
    body = {"do": "body", "body": '{"transcript_id": "é', "content_type": "text/plain"}
    told(faulty, made_with_webhook(faulty, web, recording, body))
    post = web.posts.get(timeout=60)
    assert (post.body.decode(), post.headers["Content-Type"]) == (body["body"], "text/plain")


def test_a_wrong_webhook_can_come_beside_the_right_one(faulty: Engine, web: Web, recording: str) -> None:
    web.webhook_statuses = iter((200, 200))
    redacted = '{"redacted_audio_url": "http://a.test/", "status": "redacted_audio_ready"}'
    made = made_with_webhook(faulty, web, recording, {"do": "body", "body": redacted, "extra": True})
    posts = [web.posts.get(timeout=60).body.decode() for _ in range(2)]
    assert sorted(posts) == sorted([redacted, json.dumps({"transcript_id": made, "status": "completed"})])
    assert told(faulty, made) == 200


def test_faults_can_be_combined_on_one_recording(faulty: Engine, web: Web, recording: str) -> None:
    script(
        faulty,
        {"on": "create", "do": "reset", "accepted": True, "match": recording},
        {"on": "job", "do": "error", "match": recording},
        {"on": "webhook", "do": "lost", "match": recording},
        {"on": "get", "do": "503", "match": recording, "times": 2},
    )
    with pytest.raises(requests.ConnectionError):
        faulty.create(audio_url=recording, webhook_url=web.url("/hook"))
    (made,) = jobs_of(faulty, recording)
    statuses = [faulty.call("GET", f"/v2/transcript/{made}").status_code for _ in range(3)]
    assert statuses == [503, 503, 200]
    assert faulty.ended(made)["status"] == "error"
    done = [(one["on"], one["do"], one["transcript_id"]) for one in state(faulty)["done"]]
    assert sorted(done) == sorted(
        [("create", "reset", made), ("job", "error", made), ("webhook", "lost", made), *[("get", "503", made)] * 2],
    )
    assert state(faulty)["left"] == []


# Counts


def test_counts_tell_what_a_load_test_adds_up(start_engine: Callable[..., Engine], web: Web, refund: bytes) -> None:
    flags = ("--faults", "--instant", "--workers", "1", "--webhook-interval", "0.02")
    engine = start_engine(*flags)
    web.files |= {"/a": refund, "/b": refund}
    web.webhook_statuses = itertools.chain((500,), itertools.repeat(200))
    script(engine, {"on": "create", "do": "500", "accepted": True}, {"on": "create", "do": "429"})
    a, b, hook = web.url("/a"), web.url("/b"), web.url("/hook")
    for path in ("/a?sig=1", "/a?sig=2", "/a?sig=3", "/b"):
        engine.call("POST", "/v2/transcript", json={"audio_url": web.url(path), "webhook_url": hook})
    engine.create(audio_url=web.url("/none"))

    def quiet() -> dict[str, Any] | None:
        counts: dict[str, Any] = engine.call("GET", "/counts").json()
        return None if counts["webhooks"]["owed"] or set(counts["transcripts"]) - {"completed", "error"} else counts

    wait_for(quiet, "end of all jobs")
    completed = engine.call("GET", "/v2/transcript?status=completed").json()["transcripts"]
    lengths = [engine.call("GET", f"/v2/transcript/{one['id']}").json()["audio_duration"] for one in completed]
    engine.call("DELETE", f"/v2/transcript/{jobs_of(engine, b)[0]}")
    engine.stop()
    assert start_engine(*flags).call("GET", "/counts").json() == {
        "creates": {a: 2, b: 1, web.url("/none"): 1},
        "transcripts": {"completed": 3, "error": 1},
        "deleted": 1,
        "billed": {"transcripts": 3, "seconds": sum(lengths)},
        "webhooks": {"answers": {"200": 3, "500": 1}, "owed": 0},
    }
