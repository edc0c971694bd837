"""The transcripts on disk: one SQLite row each, the whole API object as JSON; and how often a job was started."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

OPEN = ("queued", "processing")
DELETED_URL = "http://deleted_by_user"
_TABLES = """
CREATE TABLE IF NOT EXISTS transcripts (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    created TEXT NOT NULL,
    completed TEXT,
    audio_url TEXT NOT NULL,
    error TEXT,
    webhook_auth_header_value TEXT,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS by_status ON transcripts (status, number);
CREATE TABLE IF NOT EXISTS starts (transcript_id TEXT PRIMARY KEY, count INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS creates (audio_url TEXT PRIMARY KEY, count INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS billed (transcript_id TEXT PRIMARY KEY, seconds INTEGER NOT NULL)
"""
_PAGE = """
SELECT id, status, created, completed, audio_url, error FROM transcripts
WHERE (:status IS NULL OR status = :status)
AND (:created_on IS NULL OR date(created) = :created_on)
AND (:before_id IS NULL OR number < (SELECT number FROM transcripts WHERE id = :before_id))
AND (:after_id IS NULL OR number > (SELECT number FROM transcripts WHERE id = :after_id))
"""
_NEWEST_FIRST = _PAGE + "ORDER BY number DESC LIMIT :limit"
_OLDEST_FIRST = _PAGE + "ORDER BY number ASC LIMIT :limit"


class Transcripts:
    """Transcripts by id, and in the order in which they were created. For one thread."""

    def __init__(self, path: Path) -> None:
        """Open or create the database file."""
        self.database = self._db = sqlite3.connect(path, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        # What is written outlives the process; only a power failure may take back the last moments.
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_TABLES)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all that is written inside stay, or none of it."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def add(self, transcript: Mapping[str, Any], webhook_auth_header_value: str | None) -> None:
        """Store a new transcript, and beside it the webhook's secret: the API never shows that again."""
        self._db.execute(
            "INSERT INTO transcripts (id, status, created, audio_url, webhook_auth_header_value, body) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (
                transcript["id"],
                transcript["status"],
                _now(),
                transcript["audio_url"],
                webhook_auth_header_value,
                json.dumps(transcript),
            ),
        )

    def get(self, transcript_id: str) -> dict[str, Any] | None:
        """Return the whole transcript."""
        row = self._db.execute("SELECT body FROM transcripts WHERE id = ?", (transcript_id,)).fetchone()
        return None if row is None else dict(json.loads(row["body"]))

    def webhook_auth_header_value(self, transcript_id: str) -> str | None:
        """Return the secret that the transcript's webhook is sent with."""
        row = self._db.execute(
            "SELECT webhook_auth_header_value FROM transcripts WHERE id = ?",
            (transcript_id,),
        ).fetchone()
        return None if row is None else row["webhook_auth_header_value"]

    def update(self, transcript_id: str, **changes: Any) -> dict[str, Any]:
        """Change fields of a transcript and return the whole; note the time when it is completed."""
        transcript = {**(self.get(transcript_id) or {}), **changes}
        self._db.execute(
            "UPDATE transcripts SET status = ?, audio_url = ?, error = ?, body = ?, "
            "completed = CASE WHEN ? = 'completed' THEN coalesce(completed, ?) ELSE completed END "
            "WHERE id = ?",
            (
                transcript["status"],
                transcript["audio_url"],
                transcript.get("error"),
                json.dumps(transcript),
                transcript["status"],
                _now(),
                transcript_id,
            ),
        )
        if transcript["status"] == "completed" and transcript.get("audio_duration") is not None:
            # Once: who deletes it later has paid for it all the same.
            self._db.execute(
                "INSERT OR IGNORE INTO billed (transcript_id, seconds) VALUES (?, ?)",
                (transcript_id, transcript["audio_duration"]),
            )
        return transcript

    def forget_webhook_secret(self, transcript_id: str) -> None:
        """Drop the webhook's secret of a deleted transcript."""
        self._db.execute("UPDATE transcripts SET webhook_auth_header_value = NULL WHERE id = ?", (transcript_id,))

    def open_ids(self) -> list[str]:
        """Return the ids of the transcripts that have not ended, oldest first."""
        query = "SELECT id FROM transcripts WHERE status IN (?, ?) ORDER BY number"
        return [row["id"] for row in self._db.execute(query, OPEN)]

    def remove(self, transcript_id: str) -> None:
        """Leave nothing of a transcript, not even that there was one."""
        self._db.execute("DELETE FROM transcripts WHERE id = ?", (transcript_id,))

    def audio_urls(self) -> Iterator[str]:
        """Yield the audio_url of every transcript."""
        for row in self._db.execute("SELECT audio_url FROM transcripts"):
            yield row["audio_url"]

    def count_create(self, audio_url: str) -> None:
        """Note that a job was made for a URL; for tests, which want to know how often."""
        self._db.execute(
            "INSERT INTO creates (audio_url, count) VALUES (?, 1) "
            "ON CONFLICT (audio_url) DO UPDATE SET count = count + 1",
            (audio_url,),
        )

    def creates(self) -> dict[str, int]:
        """Return how many jobs were noted for each URL."""
        return {row["audio_url"]: row["count"] for row in self._db.execute("SELECT audio_url, count FROM creates")}

    def statuses(self) -> dict[str, int]:
        """Return how many transcripts there are of each status."""
        query = "SELECT status, count(*) AS number FROM transcripts GROUP BY status"
        return {row["status"]: row["number"] for row in self._db.execute(query)}

    def deleted(self) -> int:
        """Return how many transcripts their owners deleted."""
        query = "SELECT count(*) AS number FROM transcripts WHERE audio_url = ?"
        return int(self._db.execute(query, (DELETED_URL,)).fetchone()["number"])

    def billed(self) -> dict[str, int]:
        """Return how many transcripts were completed and how many seconds of audio they are billed for."""
        query = "SELECT count(*) AS transcripts, coalesce(sum(seconds), 0) AS seconds FROM billed"
        return dict(self._db.execute(query).fetchone())

    def starts(self, transcript_id: str) -> int:
        """Return how often the job was started and neither ended nor was stopped in good order."""
        row = self._db.execute("SELECT count FROM starts WHERE transcript_id = ?", (transcript_id,)).fetchone()
        return 0 if row is None else int(row["count"])

    def count_start(self, transcript_id: str) -> None:
        """Note that the job is being started."""
        self._db.execute(
            "INSERT INTO starts (transcript_id, count) VALUES (?, 1) "
            "ON CONFLICT (transcript_id) DO UPDATE SET count = count + 1",
            (transcript_id,),
        )

    def forgive_start(self, transcript_id: str) -> None:
        """Take back the last start: the job was stopped in good order."""
        self._db.execute("UPDATE starts SET count = count - 1 WHERE transcript_id = ?", (transcript_id,))

    def forget_starts(self, transcript_id: str) -> None:
        """Drop the count of a job that has ended."""
        self._db.execute("DELETE FROM starts WHERE transcript_id = ?", (transcript_id,))

    def page(
        self,
        limit: int,
        *,
        status: str | None = None,
        created_on: date | None = None,
        before_id: str | None = None,
        after_id: str | None = None,
    ) -> list[dict[str, Any]]:
        """Return up to `limit` rows, newest first: id, status, created, completed, audio_url, error.

        With `after_id` alone the page is the one right after it, that is the oldest of what is newer.
        An id that does not exist matches nothing.
        """
        upwards = after_id is not None and before_id is None
        rows = self._db.execute(
            _OLDEST_FIRST if upwards else _NEWEST_FIRST,
            {
                "limit": limit,
                "status": status,
                "created_on": created_on and created_on.isoformat(),
                "before_id": before_id,
                "after_id": after_id,
            },
        )
        page = [dict(row) for row in rows]
        return page[::-1] if upwards else page


def _now() -> str:
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
