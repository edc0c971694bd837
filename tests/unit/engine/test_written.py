"""Recognised words -> written text."""

from local.engine.recogniser import Word
from local.engine.written import turns, write_out


def word(text: str, start: int, end: int) -> Word:
    return {"text": text, "start": start, "end": end, "confidence": 1.0, "speaker": None}


def text_of(words: list[Word]) -> str:
    return " ".join(str(one["text"]) for one in words)


def test_sentences_end_at_pauses() -> None:
    first = [word("hello", 0, 300), word("i'm", 310, 500), word("i", 800, 900), word("go", 1199, 1300)]
    written = write_out([(first, False), ([word("on", 1310, 1400)], True), ([word("bye", 1500, 1600)], True)])
    assert text_of(written) == "Hello I'm. I go on. Bye."


def test_a_cut_within_speech_ends_no_sentence() -> None:
    assert text_of(write_out([([word("one", 0, 100)], False), ([word("two", 110, 200)], True)])) == "One two."


def test_marks_and_capitals_can_be_left_out() -> None:
    heard = [([word("hello", 0, 100)], True), ([word("i", 900, 1000)], True)]
    assert text_of(write_out(heard, punctuate=False)) == "Hello I"
    assert text_of(write_out(heard, format_text=False)) == "hello. i."
    assert text_of(write_out(heard, punctuate=False, format_text=False)) == "hello i"


def test_written_words_leave_the_heard_ones_alone() -> None:
    heard = [word("hello", 0, 100)]
    write_out([(heard, True)])
    assert heard == [word("hello", 0, 100)]
    assert write_out([]) == []


def heard(text: str) -> list[tuple[list[Word], bool]]:
    """One segment; each word takes 300 ms and follows at once."""
    return [([word(one, 400 * place, 400 * place + 300) for place, one in enumerate(text.split())], True)]


def test_names_with_one_reading_get_capitals() -> None:
    text = "in april we may march from new york to england's coast on monday"
    assert text_of(write_out(heard(text))) == "In April we may march from New York to England's coast on Monday."
    assert text_of(write_out(heard("on monday"), format_text=False)) == "on monday."
    assert text_of(write_out(heard("the new plan for york and a turkey from china"))) == (
        "The new plan for york and a turkey from china."
    )


def test_fillers_are_left_out_unless_asked_for_and_sentences_end_where_they_ended() -> None:
    text = "um we uh wait hmm"
    assert text_of(write_out(heard(text))) == "Um we uh wait hmm."
    assert text_of(write_out(heard(text) + heard("then go"), disfluencies=False)) == "We wait. Then go."
    assert write_out(heard("um"), disfluencies=False) == []


def test_rude_words_keep_their_first_letter() -> None:
    words = write_out(heard("what bullshit is this shit"), filter_profanity=True)
    assert text_of(words) == "What b******* is this s***."


def test_a_phrase_is_respelled_as_one_word_however_it_is_written() -> None:
    spelling = [{"from": ["s q l", "sequel"], "to": "SQL"}, {"from": ["Cooper Netties"], "to": "Kubernetes"}]
    words = write_out(heard("sequel or cooper netties or s q l"), custom_spelling=spelling)
    assert text_of(words) == "SQL or Kubernetes or SQL."
    assert [(one["start"], one["end"]) for one in words] == [
        (0, 300),
        (400, 700),
        (800, 1500),
        (1600, 1900),
        (2000, 3100),
    ]


def test_a_phrase_does_not_reach_over_the_end_of_a_sentence() -> None:
    spelling = [{"from": ["red hat"], "to": "RedHat"}]
    segments = [([word("red", 0, 100)], True), ([word("hat", 900, 1000)], True)]
    assert text_of(write_out(segments, custom_spelling=spelling)) == "Red. Hat."


def test_the_confidence_of_a_respelled_phrase_is_the_mean() -> None:
    segment = [{**word("net", 0, 100), "confidence": 0.2}, {**word("flicks", 110, 200), "confidence": 0.6}]
    (one,) = write_out([(segment, True)], custom_spelling=[{"from": ["net flicks"], "to": "Netflix"}])
    assert (one["text"], one["confidence"]) == ("Netflix.", 0.4)


def test_key_terms_keep_their_capitals() -> None:
    words = write_out(heard("xylotech on market street is a market"), keyterms=["XyloTech", "Market Street", "is"])
    assert text_of(words) == "XyloTech on Market Street is a market."


def test_a_recogniser_that_writes_marks_itself_keeps_them() -> None:
    text = "Well, is this it? Yes"
    assert text_of(write_out(heard(text))) == text
    assert text_of(write_out(heard(text), punctuate=False)) == "Well is this it Yes"
    assert text_of(write_out(heard(text), punctuate=False, format_text=False)) == "well is this it yes"


def test_the_turns_of_two_channels_follow_each_other() -> None:
    first = [word("hello", 0, 300), word("there", 310, 600), word("bye", 3000, 3300)]
    second = [word("hi", 500, 700), word("you", 710, 1000), word("how", 1400, 1600)]
    found = turns([first, second])
    assert [(one["channel"], one["text"], one["start"], one["end"]) for one in found] == [
        ("1", "hello there", 0, 600),
        ("2", "hi you how", 500, 1600),
        ("1", "bye", 3000, 3300),
    ]
    assert {(one["speaker"], one["channel"]) for one in found[1]["words"]} == {("2", "2")}
    assert found[0]["confidence"] == 1.0
    assert turns([[], []]) == []
