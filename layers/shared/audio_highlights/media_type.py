"""Tells what is surely not audio or video from its first bytes, so that no transcript is asked for it.

Only what is recognised beyond doubt is refused. Everything else goes to the provider, which finds the type
from the bytes, whatever the name says, and does not bill a file that it cannot decode.
"""

import codecs

HEAD_BYTES = 4096

# Four bytes at least: a shorter signature would also match sound by chance.
_SIGNATURES = (
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a zip archive or an office document"),
    (b"\x1f\x8b\x08\x00", "a gzip archive"),
    (b"\x1f\x8b\x08\x08", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a rar archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff\xdb", "a JPEG picture"),
    (b"\xff\xd8\xff\xe0", "a JPEG picture"),
    (b"\xff\xd8\xff\xe1", "a JPEG picture"),
    (b"\xff\xd8\xff\xee", "a JPEG picture"),
    (b"GIF87a", "a GIF picture"),
    (b"GIF89a", "a GIF picture"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"PAR1", "a Parquet file"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an office document"),
)
_HTML_STARTS = ("<!doctype html", "<html", "<head", "<body")
_TEXT_CONTROLS = frozenset("\t\n\r\f\x1b")


def not_media(head: bytes) -> str | None:
    """What the bytes are, if they are surely neither audio nor video ("a PDF document"); else None.

    `head` is the start of the file, up to HEAD_BYTES.
    """
    for signature, meaning in _SIGNATURES:
        if head.startswith(signature):
            return meaning
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "a WebP picture"
    try:
        # Incremental: the head may end in the middle of a character.
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return None
    if any(character < " " and character not in _TEXT_CONTROLS for character in text):
        return None
    if text.lstrip().lower().startswith(_HTML_STARTS):
        return "a web page (HTML)"
    return "plain text"
