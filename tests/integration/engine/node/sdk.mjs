// Everything that AssemblyAI's Node SDK can ask for, on standard output as JSON.
//
// Run with a recording, a file without sound and a webhook's URL; ASSEMBLYAI_BASE_URL and ASSEMBLYAI_API_KEY say where.
import { AssemblyAI } from "assemblyai";

const [recording, noRecording, webhook] = process.argv.slice(2);
const unknown = "00000000-0000-0000-0000-000000000000";
const often = { pollingInterval: 100 };
const account = { baseUrl: process.env.ASSEMBLYAI_BASE_URL, apiKey: process.env.ASSEMBLYAI_API_KEY };
const { transcripts } = new AssemblyAI(account);

async function refusal(answer) {
  try {
    await answer;
  } catch (error) {
    return error.message;
  }
  return "";
}

// From the newest transcripts to the oldest.
async function pages(filter) {
  const found = [];
  let page = await transcripts.list({ limit: 3, ...filter });
  for (;;) {
    found.push(page.transcripts.map(({ id }) => id));
    if (page.page_details.prev_url === null) return found;
    page = await transcripts.list(page.page_details.prev_url);
  }
}

const done = await transcripts.transcribe(
  { audio: recording, auto_highlights: true, speech_models: ["universal-2"] },
  often,
);
const submitted = await transcripts.submit({
  audio: recording,
  webhook_url: webhook,
  webhook_auth_header_name: "X-Hook-Key",
  webhook_auth_header_value: "s3cret",
});
const waited = await transcripts.waitUntilReady(submitted.id, often);
const failed = await transcripts.transcribe({ audio: noRecording }, often);
const { sentences } = await transcripts.sentences(done.id);
const { paragraphs } = await transcripts.paragraphs(done.id);
const { matches } = await transcripts.wordSearch(done.id, ["internet outage", "a", "cat"]);
const listed = await transcripts.list({ limit: 3, status: undefined });
const newer = await transcripts.list({ limit: 1, after_id: done.id });

const report = {
  completed: { id: done.id, status: done.status, text: done.text, duration: done.audio_duration },
  "read again": (await transcripts.get(done.id)).text,
  highlights: Object.fromEntries(done.auto_highlights_result.results.map(({ text, count }) => [text, count])),
  "first status": submitted.status,
  submitted: { id: waited.id, status: waited.status, text: waited.text },
  failed: { id: failed.id, status: failed.status, error: failed.error },
  sentences: sentences.map(({ text }) => text),
  "sentence ends": sentences.map(({ end }) => end),
  "word ends": done.words.map(({ end }) => end),
  paragraphs: paragraphs.map(({ text }) => text),
  srt: await transcripts.subtitles(done.id),
  "short srt": await transcripts.subtitles(done.id, "srt", 24),
  vtt: await transcripts.subtitles(done.id, "vtt"),
  matches: Object.fromEntries(matches.map(({ text, count, indexes }) => [text, [count, indexes]])),
  listed: listed.transcripts.map(({ id, status, error }) => [id, status, error]),
  newer: newer.transcripts.map(({ id }) => id),
  pages: await pages({}),
  "failed pages": await pages({ status: "error" }),
  "no sentences": await refusal(transcripts.sentences(failed.id)),
  "no redacted audio": await refusal(transcripts.redactedAudio(done.id)),
  unknown: await refusal(transcripts.get(unknown)),
  refused: await refusal(transcripts.submit({ audio: recording, speech_model: "best" })),
};
const deleted = await transcripts.delete(submitted.id);
report.deleted = { status: deleted.status, text: deleted.text, url: deleted.audio_url, words: deleted.words };
report["wrong key"] = await refusal(new AssemblyAI({ ...account, apiKey: "wrong" }).transcripts.list());
console.log(JSON.stringify(report));
