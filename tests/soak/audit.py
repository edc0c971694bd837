"""The counts that must agree after a soak, from what was seen of the system when all was quiet."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from audio_highlights.models import Upload, recording_mark
from tests.soak.plan import Plan, PlannedUpload

ENDED = ("completed", "failed", "ignored")
_EVENTS = {"completed": "Highlights Ready", "failed": "Recording Failed"}


@dataclass(frozen=True, slots=True)
class Made:
    """An upload that was made: what was planned, and what S3 answered."""

    planned: PlannedUpload
    upload: Upload

    @property
    def recording_ids(self) -> tuple[str, str]:
        """The id that its row has, and the one it has where S3's event names no version and the version is gone."""
        bare = Upload(self.upload.bucket, self.upload.key, None, self.upload.etag, self.upload.size_bytes)
        return self.upload.recording_id, bare.recording_id


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen at the end. `rows` and `transcripts` are as DynamoDB and the provider's list give them."""

    made: list[Made]
    rows: Sequence[Mapping[str, Any]]
    phrases: Mapping[str, int]
    files: set[str]
    transcripts: Sequence[Mapping[str, Any]]
    counts: Mapping[str, Any]
    faults_done: Sequence[Mapping[str, Any]]
    submit_dead_letters: list[str]
    results_dead_letters: list[str]
    events: Mapping[tuple[str, str], int]
    leaks: list[str]


@dataclass(frozen=True, slots=True)
class Count:
    """One of the counts: its parts in the order in which they are shown, and every disagreement in words."""

    name: str
    parts: list[tuple[str, int]]
    disagreements: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        return not self.disagreements


def audit(plan: Plan, seen: Evidence) -> list[Count]:
    """Add up. All is well where every count agrees."""
    return [
        _uploads(seen),
        _results(seen),
        _paid(seen),
        _dead_letters(plan, seen),
        _events(seen),
        _as_planned(seen),
        Count("no secret and no presigned URL in a log", [("lines with one", len(seen.leaks))], seen.leaks[:5]),
    ]


def _uploads(seen: Evidence) -> Count:
    """Uploads = completed + failed + ignored; each has one row, each row is of one upload and gives its reason."""
    rows = {row["recording_id"]: row for row in seen.rows}
    wrong: list[str] = []
    known: set[str] = set()
    for made in seen.made:
        ids = [one for one in dict.fromkeys(made.recording_ids) if one in rows]
        known |= set(ids)
        if not ids:
            wrong.append(f"{_name(made)} has no row")
        if len(ids) > 1:
            both = ", ".join(_of(rows[one]) for one in ids)
            wrong.append(f"{_name(made)} has two rows: {both}")
    wrong += [f"a row of no upload: {_of(row)}" for one, row in rows.items() if one not in known]
    wrong += [f"still open: {_of(row)}" for row in seen.rows if row["status"] not in ENDED]
    wrong += [
        f"ended without a reason: {_of(row)}"
        for row in seen.rows
        if row["status"] in ("failed", "ignored") and not row.get("reason")
    ]
    statuses = Counter(str(row["status"]) for row in seen.rows)
    parts = [("uploads", len(seen.made)), *((status, statuses.pop(status, 0)) for status in ENDED)]
    return Count("uploads = completed + failed + ignored", [*parts, ("open", statuses.total())], wrong)


def _results(seen: Evidence) -> Count:
    """One set of results for each completed recording, and none for any other."""
    completed = [row for row in seen.rows if row["status"] == "completed"]
    wrong: list[str] = []
    expected_files: set[str] = set()
    for row in completed:
        for kind in ("highlights_uri", "transcript_uri"):
            key = urlsplit(str(row.get(kind, "")), allow_fragments=False).path.lstrip("/")
            expected_files.add(key)
            if key not in seen.files:
                wrong.append(f"no file at the {kind} of {_of(row)}")
        found, said = seen.phrases.get(row["recording_id"], 0), int(row.get("highlight_count", -1))
        if found != said:
            wrong.append(f"{found} phrase items, the row says {said}: {_of(row)}")
    ids = {row["recording_id"] for row in completed}
    wrong += [f"phrase items of {one}, which is not completed" for one in seen.phrases if one not in ids]
    wrong += [f"a file of no completed recording: {key}" for key in sorted(seen.files - expected_files)]
    parts = [
        ("completed", len(completed)),
        ("highlights files", sum(key.startswith("highlights/") for key in seen.files)),
        ("transcript files", sum(key.startswith("transcripts/") for key in seen.files)),
        ("phrase items", sum(seen.phrases.values())),
        ("phrases on the rows", sum(int(row.get("highlight_count", 0)) for row in completed)),
    ]
    return Count("one result set per completed recording", parts, wrong)


def _paid(seen: Evidence) -> Count:
    """Paid transcripts = recordings with one + those that were found to be too many, deleted and noted on the row."""
    completed = [one for one in seen.transcripts if one["status"] == "completed" and not _is_deleted(one)]
    deleted = {one["id"] for one in seen.transcripts if _is_deleted(one)}
    extra = {one for row in seen.rows for one in row.get("extra_transcripts", ())}
    rows = {row["recording_id"]: row for row in seen.rows}
    wrong: list[str] = []
    paid_by_recording: defaultdict[str, list[str]] = defaultdict(list)
    for transcript in completed:
        paid_by_recording[_recording_of(transcript["audio_url"])].append(transcript["id"])
    own = 0
    for recording_id, ids in paid_by_recording.items():
        row = rows.get(recording_id, {})
        theirs = row.get("transcript_id")
        own += theirs in ids
        wrong += [
            f"paid and not used: transcript {one} of {_of(row)}" for one in ids if one != theirs and one not in extra
        ]
    wrong += [
        f"its transcript is not among the paid ones: {_of(row)}"
        for row in seen.rows
        if row["status"] == "completed" and row.get("transcript_id") not in paid_by_recording[row["recording_id"]]
    ]
    wrong += [f"deleted at the provider, and on no row: transcript {one}" for one in sorted(deleted - extra)]
    wrong += [f"on its row as extra, and not deleted: transcript {one}" for one in sorted(extra - deleted)]
    parts = [
        ("paid", len(completed) + len(deleted)),
        ("recordings with a transcript", own),
        ("extra ones, deleted", len(deleted)),
        ("jobs that failed, free", sum(one["status"] == "error" and not _is_deleted(one) for one in seen.transcripts)),
        ("jobs made", sum(seen.counts["creates"].values())),
    ]
    return Count("paid transcripts = recordings with one + explained extra ones", parts, wrong)


def _dead_letters(plan: Plan, seen: Evidence) -> Count:
    """The dead letters are the poison that was sent, and what the provider said of transcripts that do not exist."""
    sent = Counter(poison.body for poison in plan.poison)
    buried = Counter(seen.submit_dead_letters)
    wrong = [f"poison that is not among the dead letters: {_short(body)}" for body in sent if body not in buried]
    wrong += [f"a submit dead letter that is no poison: {_short(body)}" for body in buried if body not in sent]
    exist = {one["id"] for one in seen.transcripts}
    invented = [body for body in seen.results_dead_letters if not _names_one_of(body, exist)]
    wrong += [f"a results dead letter: {_short(body)}" for body in seen.results_dead_letters if body not in invented]
    lies = sum(done["do"] == "wrong-id" for done in seen.faults_done)
    if len(set(invented)) > lies:
        wrong.append(f"{len(set(invented))} results dead letters name unknown transcripts, {lies} webhooks did")
    parts = [
        ("poison sent", sent.total()),
        ("submit dead letters", len(seen.submit_dead_letters)),
        # A function that dies after it has buried a message buries it again.
        ("of these twice", buried.total() - len(buried)),
        ("webhooks with an unknown id", lies),
        ("results dead letters", len(seen.results_dead_letters)),
    ]
    return Count("dead letters = the expected poison", parts, wrong)


def _events(seen: Evidence) -> Count:
    """Whoever listens has heard of every completed and failed recording at least once, and of nothing else."""
    expected = {(_EVENTS[row["status"]], row["recording_id"]): row for row in seen.rows if row["status"] in _EVENTS}
    wrong = [f"no event {kind!r} of {_of(row)}" for (kind, _), row in expected.items() if (kind, _) not in seen.events]
    wrong += [
        f"an event {kind!r} of {one}, which did not end so" for kind, one in seen.events if (kind, one) not in expected
    ]
    by_kind = Counter(kind for kind, _ in seen.events)
    parts = [(f"recordings with {kind!r}", by_kind[kind]) for kind in _EVENTS.values()]
    parts.append(("told more than once", sum(number > 1 for number in seen.events.values())))
    return Count("an event at least once per completed or failed recording", parts, wrong)


def _as_planned(seen: Evidence) -> Count:
    """Every recording has ended as what happened to it lets it end."""
    rows = {row["recording_id"]: row for row in seen.rows}
    wrong: list[str] = []
    for made in seen.made:
        planned = made.planned
        for row in [rows[one] for one in dict.fromkeys(made.recording_ids) if one in rows]:
            if row["status"] in ENDED and row["status"] not in planned.ends:
                wrong.append(f"should have {' or '.join(sorted(planned.ends))}: {_of(row)}")
            found = row.get("highlights_status")
            if row["status"] == "completed" and found != (planned.highlights_status or "success"):
                wrong.append(f"highlights_status {found}, not {planned.highlights_status or 'success'}: {_of(row)}")
    parts = [
        ("must complete", sum(made.planned.ends == {"completed"} for made in seen.made)),
        ("must fail", sum(made.planned.ends == {"failed"} for made in seen.made)),
        ("must be ignored", sum(made.planned.ends == {"ignored"} for made in seen.made)),
        ("may do either", sum(len(made.planned.ends) > 1 for made in seen.made)),
    ]
    return Count("every recording ended as it had to", parts, wrong)


def _recording_of(audio_url: str) -> str:
    query = parse_qs(urlsplit(audio_url).query)
    said = query.get("response-content-disposition", [""])[0]
    for part in said.split('"'):
        if part and said == recording_mark(part):
            return part
    return ""


def _is_deleted(transcript: Mapping[str, Any]) -> bool:
    return bool(transcript["audio_url"] == "http://deleted_by_user")


def _names_one_of(body: str, transcript_ids: Iterable[str]) -> bool:
    return any(one in body for one in transcript_ids)


def _name(made: Made) -> str:
    deleted = f", deleted by {made.planned.deletion}" if made.planned.deletion else ""
    return f"{made.planned.tag} ({_short(made.upload.key)}{deleted})"


def _of(row: Mapping[str, Any]) -> str:
    if not row:
        return "no recording"
    parts = [f"{row['recording_id']} {_short(str(row['key']))} is {row['status']}, attempt {row.get('attempt')}"]
    parts += [f"{name} {row[name]}" for name in ("transcript_id", "extra_transcripts", "reason") if row.get(name)]
    return ", ".join(parts)


def _short(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:60]}...{text[-30:]}"
