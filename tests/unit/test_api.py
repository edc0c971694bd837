"""The API as API Gateway calls it: every answer is one that openapi.json describes, and nobody unverified gets data."""

import gzip
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from audio_highlights.errors import ApiRefused, RequestUnreadable
from audio_highlights.reading import Reader
from tests.fakes import FakeCatalogue
from tests.unit.functions import ROOT, Context, event, lines, load, shared
from tests.unit.test_reading import NOW, Archive

DOCUMENT = json.loads((ROOT / "functions" / "api" / "openapi.json").read_text(encoding="utf-8"))
SAMPLE = event("api/recordings")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


class Api:
    """Asks the function as API Gateway does; looks whether the answer is one that the document describes."""

    def __init__(self, module: Any) -> None:
        self.module = module

    def __call__(self, method: str, path: str, **parameters: str) -> Answer:
        return self.send(self.event(method, path, parameters))

    def event(self, method: str, path: str, parameters: dict[str, str]) -> dict[str, Any]:
        request: dict[str, Any] = json.loads(json.dumps(SAMPLE))
        request |= {"rawPath": path, "rawQueryString": urlencode(parameters, errors="replace")}
        request["requestContext"]["http"] |= {"method": method, "path": path}
        request.pop("queryStringParameters")
        if parameters:
            request["queryStringParameters"] = parameters
        return request

    def send(self, request: dict[str, Any]) -> Answer:
        said = self.module.handler(request, Context())
        json.dumps(said, ensure_ascii=False).encode()  # as Lambda passes it on
        assert said["isBase64Encoded"] is False
        answer = Answer(said["statusCode"], said["headers"], said["body"])
        check(request["requestContext"]["http"]["method"], request["rawPath"], answer)
        return answer


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def check(method: str, path: str, answer: Answer) -> None:
    """The answer has the status, the type and the form that the document gives the operation, if it is one."""
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    if path.startswith("/api"):
        assert answer.headers["Cache-Control"] == "no-store"
    for documented, template, operation in operations():
        if documented == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            response = operation["responses"][str(answer.status)]
            media = response["content"][answer.headers["Content-Type"].partition(";")[0]]
            is_json = answer.headers["Content-Type"] == "application/json"
            schema = {**media["schema"], "components": DOCUMENT["components"]}
            Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(
                answer.body if is_json else answer.text
            )
            return
    assert answer.status in (401, 404, 500)
    assert set(answer.body) == {"error"}


@pytest.fixture
def archive() -> Archive:
    return Archive()


@pytest.fixture
def api(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> Api:
    module = shared("api", monkeypatch)
    monkeypatch.setattr(module, "reader", archive.reader)
    return Api(module)


def completed(archive: Archive, **more: Any) -> str:
    """A recording with all that one can have."""
    recording_id = archive.put(
        audio_duration=Decimal(100),
        size_bytes=Decimal(799156),
        highlights_status="success",
        highlight_count=Decimal(2),
        top_highlights=["internet outage", "modem"],
        completed_at="2026-11-22T16:53:40.123Z",
        submitted_at="2026-11-22T16:53:01.123Z",
        version_id="v1",
        transcript_id="t1",
        language_code="en_us",
        confidence=Decimal("0.84066"),
        speech_model="universal-3-5-pro",
        metadata={"agent": "slt"},
        call_id="4711",
        options=["auto_highlights", "speaker_labels"],
        insights={
            "speakers": Decimal(2),
            "sentiments": {"NEUTRAL": Decimal(3)},
            "topics": ["Modems"],
            "redact_pii": True,
        },
        summary="Ada asks for a refund.",
        summary_status="success",
        **more,
    )
    archive.say(recording_id, "internet outage", "modem", count=2, timestamps=2)
    result = {"status": "success", "results": [{"text": "internet outage", "count": 1, "rank": 0.15, "timestamps": []}]}
    words = [{"text": "Hello.", "start": 0, "end": 500, "confidence": 0.9, "speaker": None}]
    archive.catalogue.files["s3://results/h"] = json.dumps({"auto_highlights_result": result}).encode()
    archive.catalogue.files["s3://results/t"] = gzip.compress(json.dumps({"words": words}).encode())
    return recording_id


# ---- the document


def test_the_document_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_the_document_has_every_attribute_of_a_recording(api: Api, archive: Archive) -> None:
    schema = DOCUMENT["components"]["schemas"]["RecordingDetail"]["properties"]
    answer = api("GET", f"/api/recordings/{completed(archive)}")
    assert set(answer.body) | {"reason"} == set(schema)
    assert set(answer.body["insights"]) <= set(schema["insights"]["properties"])


def test_the_recordings_of_a_call_are_answered(api: Api, archive: Archive) -> None:
    recording_id = completed(archive)
    answer = api("GET", "/api/recordings", call_id="4711")
    assert [one["recording_id"] for one in answer.body["recordings"]] == [recording_id]
    refused = api("GET", "/api/recordings", call_id="4711", status="failed")
    assert (refused.status, "without `from`" in refused.body["error"]) == (400, True)


def test_audio_that_may_not_be_heard_has_no_url(api: Api, archive: Archive) -> None:
    recording_id = archive.put(status="processing", redact_audio=True)
    answer = api("GET", f"/api/recordings/{recording_id}")
    assert (answer.body["audio"], answer.body["audio_url"]) == ("withheld", None)


def test_the_document_has_every_route_and_no_other(api: Api) -> None:
    app = api.module.app
    registered = [*app._static_routes, *app._dynamic_routes]  # noqa: SLF001
    routes = {(route.method, re.sub(r"<(\w+)>", r"{\1}", route.path)) for route in registered}
    under_api = {(method, path) for method, path in routes if path.startswith("/api")}
    assert under_api == {(method, path) for method, path, _ in operations()}
    assert routes - under_api == {("GET", "/"), ("GET", "/viewer/.+"), ("GET", "/openapi.json")}


def test_the_document_is_served(api: Api) -> None:
    request = api.event("GET", "/openapi.json", {})
    del request["requestContext"]["authorizer"]
    assert json.loads(api.module.handler(request, Context())["body"]) == DOCUMENT


def test_every_operation_can_answer_401_403_and_500_and_nothing_undescribed() -> None:
    for _, path, operation in operations():
        assert {"401", "403", "500"} <= set(operation["responses"]), path
        assert all(response["description"] for response in operation["responses"].values())


# ---- answers


def test_a_recording_is_listed_and_read(api: Api, archive: Archive) -> None:
    recording_id = completed(archive)
    listed = api("GET", "/api/recordings").body
    assert [one["recording_id"] for one in listed["recordings"]] == [recording_id]
    detail = api("GET", f"/api/recordings/{recording_id}").body
    assert detail["highlights"][0]["timestamps"] == [{"start": 1000, "end": 1500}] * 2
    documented = set(DOCUMENT["components"]["schemas"]["RecordingDetail"]["properties"])
    assert documented - {"reason"} == set(detail)
    assert set(listed["recordings"][0]) <= set(DOCUMENT["components"]["schemas"]["Recording"]["properties"])


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("0.15", "0.15"),
        ("0.1", "0.1"),
        ("0.84066", "0.84066"),
        ("1.0", "1"),
        ("1", "1"),
        ("0.000001", "1e-06"),
        ("0.3", "0.3"),
    ],
)
def test_numbers_are_written_as_they_were(api: Api, archive: Archive, number: str, text: str) -> None:
    recording_id = completed(archive) if number == "0.84066" else archive.put(confidence=Decimal(number))
    assert f'"confidence": {text},' in api("GET", f"/api/recordings/{recording_id}").text


@pytest.mark.parametrize("status", ["submitting", "queued", "processing", "completed", "failed", "ignored", "deleting"])
def test_a_list_can_be_of_one_status(api: Api, archive: Archive, status: str) -> None:
    for one in ("submitting", "queued", "processing", "completed", "failed", "ignored", "deleting"):
        archive.put(status=one, reason="so it is")
    assert [one["status"] for one in api("GET", "/api/recordings", status=status).body["recordings"]] == [status]


def test_phrases_and_who_says_them_are_read(api: Api, archive: Archive) -> None:
    recording_id = completed(archive)
    assert [one["phrase"] for one in api("GET", "/api/phrases").body["phrases"]] == ["internet outage", "modem"]
    for asked in ({"phrase": "Internet OUTAGE"}, {"prefix": "inter"}):
        [saying] = api("GET", "/api/phrases/recordings", **asked).body["sayings"]
        assert (saying["recording_id"], saying["rank"]) == (recording_id, 0.15)


def test_a_phrase_may_have_a_comma(api: Api, archive: Archive) -> None:
    archive.say(archive.put(), "well, yes")
    assert len(api("GET", "/api/phrases/recordings", phrase="well, yes").body["sayings"]) == 1


@pytest.mark.parametrize("kind", ["json", "csv", "md", "srt", "vtt"])
def test_a_completed_recording_is_exported(api: Api, archive: Archive, kind: str) -> None:
    recording_id = completed(archive, key="calls/r\u00e4ge.mp3")
    answer = api("GET", f"/api/recordings/{recording_id}/export", format=kind)
    assert answer.status == 200
    assert answer.headers["Content-Disposition"].endswith(f"filename*=UTF-8''r%C3%A4ge.{kind}")
    assert ("Hello." if kind in ("srt", "vtt") else "internet outage") in answer.text


def test_pages_go_on_to_the_end(api: Api, archive: Archive) -> None:
    expected = {completed(archive) for _ in range(5)}
    for path, asked, of in (
        ("/api/recordings", {}, "recordings"),
        ("/api/phrases/recordings", {"phrase": "modem"}, "sayings"),
        ("/api/phrases/recordings", {"prefix": "mod"}, "sayings"),
    ):
        found: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = api("GET", path, limit="2", **asked, **cursor).body
            found += [one["recording_id"] for one in page[of]]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        assert len(found) == 5
        assert set(found) == expected


# ---- refusals


@pytest.mark.parametrize(
    ("path", "asked", "says"),
    [
        ("/api/recordings", {"limit": "0"}, "`limit` must be a whole number from 1 to 100"),
        ("/api/recordings", {"status": "gone"}, "`status` must be one of submitting, queued,"),
        ("/api/recordings", {"from": "yesterday"}, "`from` is not a day"),
        ("/api/recordings", {"cursor": "x"}, "`cursor` is not the `next`"),
        ("/api/phrases", {"limit": "201"}, "from 1 to 200"),
        ("/api/phrases", {"from": "2026-01-01"}, "at most 92"),
        ("/api/phrases/recordings", {}, "either `phrase`"),
        ("/api/phrases/recordings", {"phrase": "a", "prefix": "a"}, "either `phrase`"),
        ("/api/phrases/recordings", {"phrase": "a", "limit": "51"}, "from 1 to 50"),
        ("/api/phrases/recordings", {"phrase": "\ud800"}, "UTF-8"),
        (f"/api/recordings/{'0' * 32}/export", {"format": "exe"}, "`format` must be one of json, csv, md, srt, vtt"),
        (f"/api/recordings/{'0' * 32}/export", {}, "`format` must be one of"),
    ],
)
def test_a_wrong_parameter_is_said(api: Api, archive: Archive, path: str, asked: dict[str, str], says: str) -> None:
    completed(archive)
    answer = api("GET", path, **asked)
    assert answer.status == 400
    assert says in answer.body["error"]


@pytest.mark.parametrize("name", ["x", "f" * 32, "0" * 5000, "%2e%2e", "a b"])
@pytest.mark.parametrize("then", ["", "/export"])
def test_what_is_no_recording_is_not_found(api: Api, name: str, then: str) -> None:
    assert api("GET", f"/api/recordings/{name}{then}", format="csv").status == 404


def test_before_it_is_completed_there_is_nothing_to_export(api: Api, archive: Archive) -> None:
    recording_id = archive.put(status="processing")
    answer = api("GET", f"/api/recordings/{recording_id}/export", format="csv")
    assert (answer.status, "processing" in answer.body["error"]) == (409, True)


def test_a_file_that_was_deleted_is_not_found(api: Api, archive: Archive) -> None:
    recording_id = completed(archive)
    archive.catalogue.files.clear()
    answer = api("GET", f"/api/recordings/{recording_id}/export", format="csv")
    assert (answer.status, "s3://results/h" in answer.body["error"]) == (404, True)


def test_a_file_too_large_for_an_answer_is_refused_with_where_it_is(api: Api, archive: Archive) -> None:
    recording_id = completed(archive)
    archive.catalogue.files["s3://results/h"] = b'"' + b"x" * 6_000_000 + b'"'
    answer = api("GET", f"/api/recordings/{recording_id}/export", format="json")
    assert (answer.status, "highlights_url" in answer.body["error"]) == (413, True)


def test_who_has_no_time_left_is_told_to_ask_for_fewer_days(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Context, "get_remaining_time_in_millis", lambda _: 1000)
    assert api("GET", "/api/phrases").status == 413


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api"),
        ("GET", "/api/"),
        ("GET", "/api/nothing"),
        ("PUT", "/api/recordings"),
        ("POST", "/api/phrases"),
        ("OPTIONS", "/api/recordings"),
        ("GET", "/api/recordings/x/y/z"),
        ("POST", "/"),
        ("GET", "/nothing"),
    ],
)
def test_what_is_no_route_is_not_found(api: Api, method: str, path: str) -> None:
    answer = api(method, path)
    assert (answer.status, f"{method} {path}" in answer.body["error"]) == (404, True)


CLAIMLESS: list[Callable[[dict[str, Any]], object]] = [
    lambda request: request["requestContext"].pop("authorizer"),
    lambda request: request["requestContext"].update(authorizer=None),
    lambda request: request["requestContext"]["authorizer"].pop("jwt"),
    lambda request: request["requestContext"]["authorizer"].update(jwt=None),
    lambda request: request["requestContext"]["authorizer"]["jwt"].pop("claims"),
    lambda request: request["requestContext"]["authorizer"]["jwt"].update(claims={}),
    lambda request: request["requestContext"]["authorizer"]["jwt"]["claims"].pop("token_use"),
    lambda request: request["requestContext"]["authorizer"]["jwt"]["claims"].update(token_use="id"),
    lambda request: request["requestContext"]["authorizer"]["jwt"]["claims"].update(token_use="refresh"),
]


@pytest.mark.parametrize("method_and_path", [(method, path) for method, path, _ in operations()], ids=str)
@pytest.mark.parametrize("without", CLAIMLESS)
def test_without_verified_claims_no_route_gives_data(
    api: Api, archive: Archive, method_and_path: tuple[str, str], without: Callable[[dict[str, Any]], object]
) -> None:
    recording_id = completed(archive)
    method, path = method_and_path
    request = api.event(method, path.replace("{recording_id}", recording_id), {"format": "csv", "phrase": "modem"})
    without(request)
    answer = api.send(request)
    assert (answer.status, set(answer.body)) == (401, {"error"})
    assert archive.catalogue.queries == 0


def test_an_error_of_ours_is_logged_and_says_nothing_of_the_inside(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = load("api", monkeypatch)

    class Broken(FakeCatalogue):
        def recording(self, recording_id: str) -> Any:
            message = f"row {recording_id} of https://dynamodb.example.com/?X-Amz-Signature=verysecret is odd"
            raise KeyError(message)

    monkeypatch.setattr(module, "reader", Reader(Broken(), lambda: NOW))
    answer = Api(module)("GET", f"/api/recordings/{'0' * 32}")
    assert (answer.status, Context().aws_request_id in answer.body["error"]) == (500, True)
    assert "odd" not in answer.text
    [line] = [one for one in lines(capsys.readouterr().out) if one["level"] == "ERROR"]
    assert ("odd" in line["exception"], line["recording_id"]) == (True, "0" * 32)
    assert "verysecret" not in json.dumps(line)


def test_every_refusal_of_the_tree_has_its_status(api: Api) -> None:
    codes = api.module._STATUS_CODES  # noqa: SLF001
    assert {one: codes.get(one, 400) for one in ApiRefused.__subclasses__()} == {**codes, RequestUnreadable: 400}


TEXTS = st.text(max_size=30) | st.sampled_from(["2026-11-22", "10", "modem", "completed", "csv", "", "null", "\x00"])


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([path for method, path, _ in operations() if method == "GET"]),
    st.dictionaries(
        st.sampled_from(["from", "to", "status", "limit", "cursor", "phrase", "prefix", "format", "other"]), TEXTS
    ),
    st.sampled_from(["0" * 32, "x"]),
)
def test_whatever_is_asked_the_answer_is_described_and_no_error_of_ours(
    api: Api, path: str, asked: dict[str, str], recording_id: str
) -> None:
    assert api("GET", path.replace("{recording_id}", recording_id), **asked).status in (200, 400, 404)
