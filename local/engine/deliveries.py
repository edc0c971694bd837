"""The webhooks that are still to be delivered, on disk beside the transcripts."""

import sqlite3
import time
from dataclasses import dataclass, replace

_TABLES = """
CREATE TABLE IF NOT EXISTS deliveries (
    number INTEGER PRIMARY KEY,
    transcript_id TEXT NOT NULL,
    url TEXT NOT NULL,
    body TEXT NOT NULL,
    content_type TEXT NOT NULL,
    header_name TEXT,
    header_value TEXT,
    is_the_outcome INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    status INTEGER,
    due REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS webhook_answers (answer TEXT PRIMARY KEY, count INTEGER NOT NULL)
"""


@dataclass(frozen=True)
class Delivery:
    """One POST that is owed, and what came of it so far."""

    transcript_id: str
    url: str
    body: str
    header: tuple[str, str] | None = None
    content_type: str = "application/json"
    is_the_outcome: bool = True
    """Whether its last HTTP status becomes the transcript's webhook_status_code."""
    delay_s: float = 0.0
    """How long to wait before the next attempt."""
    attempts: int = 0
    status: int | None = None
    number: int = 0


class Deliveries:
    """Deliveries in the order in which they were added. For one thread."""

    def __init__(self, database: sqlite3.Connection) -> None:
        """Use the database of the transcripts: what ends a job and what it owes are written together."""
        self._db = database
        self._db.executescript(_TABLES)

    def add(self, delivery: Delivery) -> Delivery:
        """Store a delivery and return it with its number."""
        cursor = self._db.execute(
            "INSERT INTO deliveries "
            "(transcript_id, url, body, content_type, header_name, header_value, is_the_outcome, due) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                delivery.transcript_id,
                delivery.url,
                delivery.body,
                delivery.content_type,
                *(delivery.header or (None, None)),
                delivery.is_the_outcome,
                time.time() + delivery.delay_s,
            ),
        )
        return replace(delivery, number=cursor.lastrowid or 0)

    def count_attempt(self, number: int, next_in_s: float) -> None:
        """Note an attempt before it is made: one that the server did not outlive counts too."""
        self._db.execute(
            "UPDATE deliveries SET attempts = attempts + 1, due = ? WHERE number = ?",
            (time.time() + next_in_s, number),
        )

    def note_answer(self, number: int, status: int | None) -> None:
        """Note what an attempt was answered, None for no answer."""
        if status is not None:
            self._db.execute("UPDATE deliveries SET status = ? WHERE number = ?", (status, number))
        self._db.execute(
            "INSERT INTO webhook_answers (answer, count) VALUES (?, 1) "
            "ON CONFLICT (answer) DO UPDATE SET count = count + 1",
            ("no answer" if status is None else str(status),),
        )

    def remove(self, number: int) -> None:
        """Forget a delivery that is over, and with it the webhook's secret."""
        self._db.execute("DELETE FROM deliveries WHERE number = ?", (number,))

    def owed(self) -> list[Delivery]:
        """Return the deliveries that are not over."""
        now = time.time()
        return [
            Delivery(
                transcript_id=row["transcript_id"],
                url=row["url"],
                body=row["body"],
                header=(row["header_name"], row["header_value"]) if row["header_name"] else None,
                content_type=row["content_type"],
                is_the_outcome=bool(row["is_the_outcome"]),
                delay_s=max(0.0, row["due"] - now),
                attempts=row["attempts"],
                status=row["status"],
                number=row["number"],
            )
            for row in self._db.execute("SELECT * FROM deliveries ORDER BY number")
        ]

    def answers(self) -> dict[str, int]:
        """Return how many attempts were answered with each HTTP status, or with "no answer"."""
        return {row["answer"]: row["count"] for row in self._db.execute("SELECT answer, count FROM webhook_answers")}
