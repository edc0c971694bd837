"""Words of transcripts: written by hand, and any that a recogniser could give."""

from typing import Any

from hypothesis import strategies as st


def spoken(
    text: str, start: int = 0, *, speaker: str | None = None, channel: str | None = None
) -> list[dict[str, Any]]:
    """Return words of 200 ms, 100 ms apart; each `|` is a second of silence."""
    words = []
    for token in text.split():
        if token == "|":
            start += 1000
            continue
        word = {"text": token, "start": start, "end": start + 200, "confidence": 0.5, "speaker": speaker}
        words.append(word if channel is None else {**word, "channel": channel})
        start += 300
    return words


@st.composite
def any_words(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Words in order of time, sometimes of no length, with every kind of mark, some with speakers."""
    words = []
    now = draw(st.integers(0, 10**9))
    for text in draw(st.lists(st.from_regex(r"[a-zA-Z&<'-]{1,12}[.,?!]{0,2}", fullmatch=True), max_size=40)):
        length = draw(st.integers(0, 900))
        words.append(
            {
                "text": text,
                "start": now,
                "end": now + length,
                "confidence": draw(st.floats(0, 1)),
                "speaker": draw(st.sampled_from([None, "A", "B"])),
            },
        )
        now += length + draw(st.integers(0, 3000))
    return words
