import { askToDelete, askToRetry, mayDelete, mayRetry } from "./actions.js";
import { element } from "./dom.js";
import {
  clock,
  counted,
  fileName,
  folder,
  highlightsWords,
  reasonOf,
  short,
  statusWords,
  visible,
  when,
} from "./format.js";

/** A recording as a row of the list. A part that did not change stays the same element, and keeps the focus. */
export class Row {
  /** @param {any} recording */
  constructor(recording) {
    this.parts = new Map();
    const { recording_id, key, created_at } = recording;
    const name = visible(fileName(key));
    this.link = element(
      "a",
      { class: "recording-name", href: `/?recording=${recording_id}`, title: key },
      element("bdi", {}, name),
    );
    this.cells = {
      length: element("td", { role: "cell", class: "length number" }),
      status: element("td", { role: "cell", class: "how" }),
      phrases: element("td", { role: "cell", class: "phrases" }),
      actions: element("td", { role: "cell", class: "do" }),
    };
    this.element = element(
      "tr",
      { role: "row" },
      element(
        "th",
        { role: "rowheader", scope: "row", class: "what" },
        this.link,
        folder(key) && element("bdi", { class: "folder" }, folder(key)),
      ),
      element("td", { role: "cell", class: "added" }, element("time", { datetime: created_at }, when(created_at))),
      Object.values(this.cells),
    );
    this.show(recording);
  }

  show(recording) {
    this.recording = recording;
    const { status, reason, audio_duration, highlights_status, highlight_count, top_highlights } = recording;
    this.part("length", [audio_duration], () => lengthOf(recording));
    this.part("status", [status, reason], () => statusOf(recording));
    this.part("phrases", [status, highlights_status, highlight_count, top_highlights], () => phrasesOf(recording));
    this.part("actions", [status], () => this.actions());
  }

  part(name, values, make) {
    const told = JSON.stringify(values);
    if (this.parts.get(name) === told) return;
    this.parts.set(name, told);
    const held = this.cells[name].contains(document.activeElement);
    this.cells[name].replaceChildren(...make());
    if (held) this.link.focus();
  }

  actions() {
    const label = short(fileName(this.recording.key));
    const button = (words, act) =>
      element(
        "button",
        { type: "button", class: "quiet compact", "aria-label": `${words} ${label}`, onclick: act },
        words,
      );
    const toLink = () => this.link;
    return [
      mayRetry(this.recording) && button("Retry", () => askToRetry(this.recording, toLink)),
      mayDelete(this.recording) && button("Delete", () => askToDelete(this.recording, toLink)),
    ].filter(Boolean);
  }
}

function lengthOf({ audio_duration }) {
  if (audio_duration == null) return [element("span", { class: "soft", "aria-hidden": "true" }, "–")];
  return [clock(audio_duration * 1000)];
}

function statusOf(recording) {
  const { label, kind, meaning } = statusWords(recording.status);
  const why = reasonOf(recording) || meaning;
  return [
    element("span", { class: `status ${kind}${kind === "wait" ? " busy" : ""}` }, label),
    why && element("p", { class: "why" }, element("bdi", {}, why)),
  ].filter(Boolean);
}

function phrasesOf({ recording_id, status, highlights_status, highlight_count = 0, top_highlights = [] }) {
  if (status !== "completed") return [];
  const none = highlightsWords(highlights_status);
  if (none) return [element("span", { class: "soft" }, none)];
  const more = highlight_count - top_highlights.length;
  return [
    element(
      "ul",
      { class: "chips", "aria-label": "Top phrases" },
      top_highlights.map((text) => element("li", {}, phraseLink(text))),
      more > 0 &&
        element(
          "li",
          {},
          element(
            "a",
            { class: "more", href: `/?recording=${recording_id}`, "aria-label": `${counted(more, "more phrase")}` },
            `+${more}`,
          ),
        ),
    ),
  ];
}

function phraseLink(text) {
  return element(
    "a",
    { class: "chip", href: `/?${new URLSearchParams({ view: "phrases", phrase: text })}`, title: text },
    element("bdi", {}, visible(text)),
  );
}
