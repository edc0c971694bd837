/** What can be done to a recording, after a question that says what it costs. */
import { post, remove } from "./api.js";
import { confirmed } from "./dialog.js";
import { element } from "./dom.js";
import { fileName, reasonOf, visible } from "./format.js";

/** On the window, after something was done: detail is {recording_id, status}, as the API answered. */
export const CHANGED = "recording-changed";

const OPEN = ["submitting", "queued", "processing"];

export const isOpen = ({ status }) => OPEN.includes(status);
export const mayRetry = ({ status }) => status === "failed" || status === "ignored";
export const mayDelete = (recording) => !isOpen(recording) && recording.status !== "deleting";

const changed = (answer) => dispatchEvent(new CustomEvent(CHANGED, { detail: answer }));
const named = ({ key }) => element("bdi", { class: "name" }, visible(fileName(key)));

/**
 * Asks, and deletes. Tells whether it did; the user may think better of it.
 *
 * @param {{recording_id: string, bucket: string, key: string, status: string, reason?: string}} recording
 * @param {() => HTMLElement | null | undefined} [otherwise] who takes the focus where the button is gone
 */
export async function askToDelete(recording, otherwise) {
  return confirmed({
    title: "Delete this recording?",
    text: [
      named(recording),
      "The audio, its highlights and transcript, and AssemblyAI's copy of the transcript are deleted. This cannot be undone.",
    ],
    action: "Delete",
    danger: true,
    act: async () => {
      changed(await remove(`/api/recordings/${recording.recording_id}`));
    },
    otherwise,
  });
}

/** Asks, and submits again. Tells whether it did. */
export async function askToRetry(recording, otherwise) {
  const cost =
    recording.status === "failed"
      ? "AssemblyAI bills the new transcript. The failed one cost nothing."
      : "No transcript was paid for so far. If the recording is accepted this time, AssemblyAI bills one.";
  return confirmed({
    title: "Transcribe this recording again?",
    text: [
      named(recording),
      recording.reason && `It ${recording.status === "failed" ? "failed" : "was ignored"}: ${reasonOf(recording)}`,
      cost,
    ].filter(Boolean),
    action: "Retry",
    act: async () => {
      changed(await post(`/api/recordings/${recording.recording_id}/retry`));
    },
    otherwise,
  });
}
