"""Everything that AssemblyAI's Python SDK can ask for, on standard output as JSON.

Run with a recording, a file without sound and a webhook's URL; ASSEMBLYAI_BASE_URL and ASSEMBLYAI_API_KEY say where.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

import assemblyai as aai
from assemblyai.prerecorded.v2 import api

RECORDING, NO_RECORDING, WEBHOOK = sys.argv[1:]
UNKNOWN = "00000000-0000-0000-0000-000000000000"
aai.settings.polling_interval = 0.1


def refusal(call: Callable[..., object], *arguments: Any) -> str:
    try:
        call(*arguments)
    except aai.AssemblyAIError as error:
        return str(error)
    return ""


def pages(**filters: Any) -> list[list[str]]:
    """Walk from the newest transcripts to the oldest."""
    parameters = aai.ListTranscriptParameters(limit=3, **filters)
    found = []
    while True:
        page = transcriber.list_transcripts(parameters)
        found.append([transcript.id for transcript in page.transcripts])
        if page.page_details.before_id_of_prev_url is None:
            return found
        parameters.before_id = page.page_details.before_id_of_prev_url


transcriber = aai.Transcriber()
config = aai.TranscriptionConfig(auto_highlights=True, speech_models=["universal-2"])
done = transcriber.transcribe(RECORDING, config)
assert done.auto_highlights, done.error
assert done.auto_highlights.results is not None
assert done.words
again = aai.Transcript.get_by_id(str(done.id))
submitted = transcriber.submit(RECORDING, aai.TranscriptionConfig().set_webhook(WEBHOOK, "X-Hook-Key", "s3cret"))
first_status = submitted.status
submitted.wait_for_completion()
failed = transcriber.transcribe(NO_RECORDING)
transcripts = transcriber.list_transcripts(aai.ListTranscriptParameters(limit=3)).transcripts
newer = transcriber.list_transcripts(aai.ListTranscriptParameters(limit=1, after_id=done.id)).transcripts
report: dict[str, Any] = {
    "completed": {"id": done.id, "status": done.status, "text": done.text, "duration": done.audio_duration},
    "read again": again.text,
    "highlights": {found.text: found.count for found in done.auto_highlights.results},
    "first status": first_status,
    "submitted": {"id": submitted.id, "status": submitted.status, "text": submitted.text},
    "failed": {"id": failed.id, "status": failed.status, "error": failed.error},
    "sentences": [sentence.text for sentence in done.get_sentences()],
    "sentence ends": [sentence.end for sentence in done.get_sentences()],
    "word ends": [word.end for word in done.words],
    "paragraphs": [paragraph.text for paragraph in done.get_paragraphs()],
    "srt": done.export_subtitles_srt(),
    "short srt": done.export_subtitles_srt(chars_per_caption=24),
    "vtt": done.export_subtitles_vtt(),
    "matches": {
        match.text: [match.count, match.indexes] for match in done.word_search(["internet outage", "a", "cat"])
    },
    "listed": [[listed.id, listed.status, listed.error] for listed in transcripts],
    "newer": [listed.id for listed in newer],
    "pages": pages(),
    "failed pages": pages(status="error"),
    "no sentences": refusal(failed.get_sentences),
    "no redacted audio": refusal(api.get_redacted_audio, aai.Client.get_default().http_client, str(done.id)),
    "unknown": refusal(aai.Transcript.get_by_id, UNKNOWN),
    "refused": refusal(transcriber.submit, RECORDING, aai.TranscriptionConfig(speech_model=aai.SpeechModel.best)),
}
deleted = aai.Transcript.delete_by_id(str(submitted.id))
report["deleted"] = {"status": deleted.status, "text": deleted.text, "url": deleted.audio_url, "words": deleted.words}
stranger = aai.Transcriber(client=aai.Client(settings=aai.Settings(api_key="wrong", base_url=aai.settings.base_url)))
report["wrong key"] = refusal(stranger.list_transcripts)
print(json.dumps(report))  # noqa: T201  what this script is for
