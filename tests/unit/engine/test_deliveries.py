"""What is owed to receivers stays owed until it is over."""

import contextlib
from dataclasses import replace
from pathlib import Path

from local.engine.deliveries import Deliveries, Delivery
from local.engine.transcripts import Transcripts

DELIVERY = Delivery("t1", "http://a.test/hook", '{"é": 1}', ("X-Key", "s3cret"), "text/plain", is_the_outcome=False)


def test_a_delivery_is_as_it_was_after_reopening(tmp_path: Path) -> None:
    transcripts = Transcripts(tmp_path / "db")
    deliveries = Deliveries(transcripts.database)
    first = deliveries.add(replace(DELIVERY, delay_s=1000))
    second = deliveries.add(Delivery("t2", "http://b.test/", "{}"))
    third = deliveries.add(Delivery("t3", "http://b.test/", "{}"))
    deliveries.count_attempt(second.number, 0)
    deliveries.note_answer(second.number, 503)
    deliveries.count_attempt(second.number, 500)
    deliveries.note_answer(second.number, None)
    deliveries.remove(third.number)
    transcripts.close()
    transcripts = Transcripts(tmp_path / "db")
    again = Deliveries(transcripts.database)
    one, two = again.owed()
    assert 900 < one.delay_s <= 1000
    assert one == replace(first, delay_s=one.delay_s)
    assert 400 < two.delay_s <= 500
    assert two == replace(second, delay_s=two.delay_s, attempts=2, status=503)
    assert again.answers() == {"503": 1, "no answer": 1}
    transcripts.close()


def test_what_ends_a_job_and_what_it_owes_are_written_together_or_not_at_all(tmp_path: Path) -> None:
    transcripts = Transcripts(tmp_path / "db")
    deliveries = Deliveries(transcripts.database)
    transcripts.add({"id": "t1", "status": "processing", "audio_url": "http://a.test/"}, None)
    with contextlib.suppress(TypeError), transcripts.transaction():
        transcripts.update("t1", status="completed")
        deliveries.add(DELIVERY)
        transcripts.update("t1", text=object())  # what no JSON can hold
    assert transcripts.open_ids() == ["t1"]
    assert deliveries.owed() == []
    transcripts.close()
