"""Breaks the protocol on purpose, one way at a time, and says which test notices: `make mutants`.

Each mutant is one piece of source text and what stands there instead, in a copy of the project. The text must be there
exactly once, so that a mutant that the code has left behind is an error and not a success.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[1]
COPIED = ("cli", "events", "functions", "layers", "local", "samples", "statemachine", "tests")
COPIED_FILES = ("pyproject.toml", "template.yaml")
WORKFLOW = "layers/shared/audio_highlights/workflow.py"
LINE = "layers/shared/audio_highlights/line.py"
STORAGE = "layers/shared/audio_highlights/storage.py"
MODELS = "layers/shared/audio_highlights/models.py"
DELETION = "layers/shared/audio_highlights/deletion.py"
UPLOADS = "layers/shared/audio_highlights/uploads.py"
BATCH = "layers/shared/audio_highlights/batch.py"
WEBHOOK = "layers/shared/audio_highlights/webhook.py"
DELETIONS = "tests/integration/test_deletion.py"
TABLES = "tests/integration/test_ledger.py"  # a conditional write needs a DynamoDB to fail
_FAILED = re.compile(r"^(?:FAILED|ERROR) \S+?::(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Mutant:
    """`old` in the file becomes `new`; one of the tests must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def unit(*names: str) -> tuple[str, ...]:
    """Paths of unit tests."""
    return tuple(f"tests/unit/test_{name}.py" for name in names)


MUTANTS = [
    Mutant(
        "a claim takes what another has",
        STORAGE,
        '"AND attribute_not_exists(#transcript) AND #lease <= :now)"',
        '"AND attribute_not_exists(#transcript) AND (#lease <= :now OR #lease > :now))"',
        (TABLES,),
    ),
    Mutant(
        "a claim takes what has ended",
        STORAGE,
        '"attribute_not_exists(recording_id) OR (#status IN (:submitting, :queued) "',
        '"attribute_not_exists(recording_id) OR attribute_exists(#status) OR (#status IN (:submitting, :queued) "',
        (TABLES,),
    ),
    Mutant(
        "a transcript is recorded whatever became of the row",
        STORAGE,
        'remove=("lease_until", "reason"),\n            only_while=(Status.SUBMITTING,),\n'
        "            of_this_attempt=True,",
        'remove=("lease_until", "reason"),\n            only_while=tuple(Status),',
        (TABLES,),
    ),
    Mutant(
        "a row is completed whatever became of it",
        STORAGE,
        'remove=("open_shard", "due_at", "lease_until", "reason"),\n            only_while=OPEN,',
        'remove=("open_shard", "due_at", "lease_until", "reason"),\n            only_while=tuple(Status),',
        (TABLES,),
    ),
    Mutant(
        "two sweeps look at the same row",
        STORAGE,
        'request["ConditionExpression"] += " AND #due_at <= :now"',
        'request["ConditionExpression"] += " AND (#due_at <= :now OR #due_at > :now)"',
        (TABLES,),
    ),
    Mutant(
        "a download error is answered twice",
        STORAGE,
        '" AND (attribute_not_exists(#retried) OR NOT contains(#retried, :this))"',
        '" AND (attribute_not_exists(#retried) OR attribute_exists(#retried))"',
        (TABLES,),
    ),
    Mutant(
        "one more in flight than there are places",
        STORAGE,
        "size(places) < :most",
        "size(places) <= :most",
        (TABLES,),
    ),
    Mutant(
        "the lease is shorter than the function may run",
        "template.yaml",
        'LeaseSeconds: "120"',
        'LeaseSeconds: "60"',
        unit("template"),
    ),
    Mutant(
        "a lost transcript is not adopted",
        WORKFLOW,
        "found = self._orphan(recording) if unclear else None",
        "found = None",
        unit("submit"),
    ),
    Mutant(
        "another recording's transcript is adopted",
        MODELS,
        "return audio_url == self.upload_url or is_marked(audio_url, self.recording_id)",
        "return True",
        unit("submit"),
    ),
    Mutant(
        "a failed transcript is adopted",
        WORKFLOW,
        'if ours and status != "error":',
        "if ours:",
        unit("submit"),
    ),
    Mutant(
        "what may have been accepted is released",
        WORKFLOW,
        "if not trouble.may_have_accepted:",
        "if trouble:",
        unit("submit"),
    ),
    Mutant(
        "a list that could not be read counts as empty",
        WORKFLOW,
        "status = Status.SUBMITTING if unclear else Status.QUEUED\n                self._ledger.release",
        "status = Status.QUEUED\n                self._ledger.release",
        unit("submit"),
    ),
    Mutant(
        "the call of who waits is lost if a place came free just before",
        LINE,
        "        self._in_flight.wait()\n        self.call_for_room()",
        "        self._in_flight.wait()",
        unit("line"),
    ),
    Mutant(
        "who leaves calls nobody",
        LINE,
        "if noted and not self.call(1):",
        "if noted and False:",
        unit("line"),
    ),
    Mutant(
        "who comes new passes those who wait",
        LINE,
        "behind_others=recording.attempt == 1)",
        "behind_others=False)",
        unit("line"),
    ),
    Mutant(
        "who has waited longest is not called first",
        WORKFLOW,
        "due = datetime.fromisoformat(recording.created_at)",
        "due = self._now()",
        unit("line"),
    ),
    Mutant(
        "nobody is noted to wait",
        LINE,
        "        self._in_flight.wait()\n        self.call_for_room()\n",
        "        self.call_for_room()\n",
        unit("line"),
    ),
    Mutant(
        "somebody waits for ever, it is noted",
        LINE,
        "            self._in_flight.nobody_waits(noted)",
        "            pass",
        unit("line", "several_recordings"),
    ),
    Mutant(
        "who has just come is forgotten with those who waited",
        STORAGE,
        '"waiting = :noted"',
        '"waiting >= :noted"',
        (TABLES,),
    ),
    Mutant(
        "a completed recording keeps its place",
        WORKFLOW,
        "        self._line.leave(recording.recording_id)\n        return Outcome.COMPLETED",
        "        return Outcome.COMPLETED",
        unit("line", "deliver"),
    ),
    Mutant(
        "a failed recording keeps its place",
        WORKFLOW,
        "        self._line.leave(recording.recording_id)\n        return Outcome.FAILED",
        "        return Outcome.FAILED",
        unit("line", "deliver"),
    ),
    Mutant(
        "the places of the dead stay taken",
        LINE,
        "gone = flight.holders - self._rows.still_open(flight.holders)",
        "gone = flight.holders - flight.holders",
        unit("line"),
    ),
    Mutant(
        "a refused account does not stop the line",
        WORKFLOW,
        "self._line.stop(recording, str(refusal))",
        "str(refusal)",
        unit("line"),
    ),
    Mutant(
        "the line never goes on",
        LINE,
        "            self._in_flight.go_on()\n",
        "",
        unit("line"),
    ),
    Mutant(
        "who was refused does not come again as the probe",
        LINE,
        "        self._submit_queue.send(recording.upload.event(), delay_seconds=PROBE_SECONDS + 1)\n",
        "",
        unit("line"),
    ),
    Mutant(
        "who is called and ends at once lets the place go by",
        WORKFLOW,
        "            if recording.attempt > 1:\n                self._line.call_for_room()",
        "            if recording.attempt < 1:\n                self._line.call_for_room()",
        unit("line"),
    ),
    Mutant(
        "new URLs without end",
        WORKFLOW,
        " and recording.retries < MOST_RETRIES",
        "",
        unit("line"),
    ),
    Mutant(
        "a download error that was answered calls again",
        WORKFLOW,
        "if not self._ledger.retry(recording, finished.transcript_id, reason, self._now()):",
        "if self._ledger.retry(recording, finished.transcript_id, reason, self._now()) is None:",
        unit("line"),
    ),
    Mutant(
        "an extra transcript that lost the race is not deleted",
        WORKFLOW,
        "_discard_extra(self._ledger, self._provider, recording, transcript_id)",
        "self._ledger.note_extra_transcript(recording.recording_id, transcript_id)",
        unit("line"),
    ),
    Mutant(
        "an extra transcript that ended later is not deleted",
        WORKFLOW,
        "_discard_extra(self._ledger, self._provider, recording, finished.transcript_id)",
        "self._ledger.note_extra_transcript(recording.recording_id, finished.transcript_id)",
        unit("deliver"),
    ),
    Mutant(
        "an extra transcript is deleted before the row names it",
        WORKFLOW,
        "    ledger.note_extra_transcript(recording.recording_id, transcript_id)\n    provider.delete(transcript_id)\n",
        "    provider.delete(transcript_id)\n    ledger.note_extra_transcript(recording.recording_id, transcript_id)\n",
        unit("schedules"),
    ),
    Mutant(
        "the webhook's binding is not checked",
        WEBHOOK,
        "is_bound(secret, recording_id, int(attempt), presented)",
        "bool(is_bound)",
        unit("webhook"),
    ),
    Mutant(
        "a transcript of another recording is stored",
        WORKFLOW,
        '        self._check_belongs(recording, finished, transcript)\n        if transcript.status == "completed":\n'
        "            return self._completed",
        '        if transcript.status == "completed":\n            return self._completed',
        unit("deliver"),
    ),
    Mutant(
        "the failure of an older attempt ends a newer one",
        WORKFLOW,
        "finished.transcript_id in recording.retried_transcripts or finished.attempt < recording.attempt",
        "finished.attempt > recording.attempt",
        unit("deliver"),
    ),
    Mutant(
        "the event comes before the transaction",
        WORKFLOW,
        "        if not self._ledger.complete(",
        "        self._events.put(HIGHLIGHTS_READY, {**_named(recording), **facts})\n"
        "        if not self._ledger.complete(",
        unit("deliver"),
    ),
    Mutant(
        "nobody is told after a crash",
        WORKFLOW,
        "return self._told_again(recording) if redelivered else (Outcome",
        "return (Outcome",
        unit("deliver"),
    ),
    Mutant(
        "of two results at once the files are the loser's",
        WORKFLOW,
        "                self._store_again(winner)  # over",
        "                pass  # over",
        unit("deliver"),
    ),
    Mutant(
        "the sweep sends nothing again",
        WORKFLOW,
        "            self._line.send(row)  # its message",
        "            # its message",
        unit("sweep"),
    ),
    Mutant(
        "the sweep never gives up",
        WORKFLOW,
        "if self._now() - datetime.fromisoformat(since) > LONGEST_IN_WORK:",
        "if self._now() - datetime.fromisoformat(since) > LONGEST_IN_WORK * 1000:",
        unit("sweep"),
    ),
    Mutant(
        "the scan submits what has a row",
        WORKFLOW,
        "missing = [upload for upload in uploads if upload.recording_id not in known]",
        "missing = [upload for upload in uploads if known is not None]",
        unit("sweep"),
    ),
    Mutant(
        "a message that should come again is taken as done",
        BATCH,
        "error=type(error).__name__, next_try_seconds=wait)\n            return False\n",
        "error=type(error).__name__, next_try_seconds=wait)\n",
        unit("batch"),
    ),
    Mutant(
        "a message that no retry can cure is dropped",
        BATCH,
        '            queue.bury(record["body"])\n',
        "",
        unit("batch"),
    ),
    Mutant(
        "what is in work can be deleted",
        STORAGE,
        "only_while=ENDED,",
        "only_while=tuple(Status),",
        (DELETIONS,),
    ),
    Mutant(
        "two delete at once",
        STORAGE,
        'ConditionExpression="#status = :deleting AND due_at <= :now",',
        'ConditionExpression="#status = :deleting AND (due_at <= :now OR due_at > :now)",',
        (DELETIONS,),
    ),
    Mutant(
        "a deletion does not see what came late",
        STORAGE,
        "(#status = :deleting AND due_at = :until)",
        "(#status = :deleting AND due_at <= :until)",
        (DELETIONS,),
    ),
    Mutant(
        "a newer upload without versions is deleted for an older one",
        STORAGE,
        """(listed or version["ETag"].strip('"') == upload.etag)""",
        "True",
        (DELETIONS,),
    ),
    Mutant(
        "an upload that comes between the listing and the deletion is deleted",
        STORAGE,
        '({"IfMatch": version["ETag"]} if compared else {})',
        "{}",
        (DELETIONS,),
    ),
    Mutant(
        "a retry over a newer failure",
        STORAGE,
        "only_while=(Status.FAILED, Status.IGNORED),\n            of_this_attempt=True,",
        "only_while=(Status.FAILED, Status.IGNORED),",
        (DELETIONS,),
    ),
    Mutant(
        "the row goes before the event",
        DELETION,
        "        self._events.put(RECORDING_DELETED,",
        "        self._ledger.drop(recording, self._now() + _TURN)\n        self._events.put(RECORDING_DELETED,",
        unit("deletion"),
    ),
    Mutant(
        "extra transcripts stay at the provider",
        MODELS,
        "return self.retried_transcripts | self.extra_transcripts | of_now",
        "return self.retried_transcripts | of_now",
        unit("deletion"),
    ),
    Mutant(
        "files that are written during a deletion stay",
        WORKFLOW,
        "            self._ledger.delete_again(recording)\n            return None\n",
        "            return None\n",
        unit("deletion"),
    ),
    Mutant(
        "late news have another's transcript deleted",
        WORKFLOW,
        "if transcript.bound_recording != finished.recording_id and not marked:",
        "if False:",
        unit("deletion"),
    ),
    Mutant(
        "a retry pays again for what has completed",
        WORKFLOW,
        'if self._provider.get(former).status == "completed":',
        "if False:",
        unit("orders"),
    ),
    Mutant(
        "who probes a stopped line is given up in the end",
        MODELS,
        "return self.attempt - self.attempts_before - self.attempts_waited",
        "return self.attempt - self.attempts_before",
        unit("line"),
    ),
    Mutant(
        "a retry gives up at once",
        MODELS,
        "return self.attempt - self.attempts_before - self.attempts_waited",
        "return self.attempt - self.attempts_waited",
        unit("orders"),
    ),
    Mutant(
        "a form's key is what S3 makes of it",
        UPLOADS,
        'dict.fromkeys("/\\\\$", "_")',
        'dict.fromkeys("/\\\\", "_")',
        unit("uploads"),
    ),
]


def occurrences(mutant: Mutant) -> int:
    """How often the text that it replaces is in its file; 1 is right."""
    return (PROJECT / mutant.file).read_text(encoding="utf-8").count(mutant.old)


def copy_project(folder: Path) -> None:
    """What the tests need, without what they leave behind."""
    for name in COPIED:
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    for name in COPIED_FILES:
        shutil.copy(PROJECT / name, folder / name)
    for name in (".venv", ".tools"):
        (folder / name).symlink_to(PROJECT / name)


def caught_by(mutant: Mutant, folder: Path) -> str | None:
    """The first test that fails in the copy with the mutant in it; None if all pass."""
    file = folder / mutant.file
    original = file.read_text(encoding="utf-8")
    file.write_text(original.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *mutant.tests],
            cwd=folder,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        file.write_text(original, encoding="utf-8")
    if run.returncode == 0:
        return None
    found = _FAILED.search(run.stdout)
    if run.returncode != 1 or not found:
        message = f"{mutant.name}: the tests could not run.\n{run.stdout}{run.stderr}"
        raise RuntimeError(message)
    return found[1]


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def main() -> int:
    """Run all, or those whose names hold the words given; 1 if one survives or no longer fits the code."""
    chosen = [mutant for mutant in MUTANTS if " ".join(sys.argv[1:]) in mutant.name]
    if stale := [mutant for mutant in chosen if occurrences(mutant) != 1]:
        for mutant in stale:
            say(f"{mutant.name}: what it replaces is {occurrences(mutant)} times in {mutant.file}, not once")
        return 1
    survivors = 0
    with tempfile.TemporaryDirectory() as folder:
        copy_project(Path(folder))
        for mutant in chosen:
            test = caught_by(mutant, Path(folder))
            survivors += test is None
            say(f"{mutant.name:<66} {test or 'SURVIVES ' + ' '.join(mutant.tests)}")
    say(f"{len(chosen) - survivors} of {len(chosen)} mutants are caught.")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
