/** What can be done with a recording besides hearing it: export, link, delete, try again; and the keys. */
import { post, remove, file } from "./api.js";
import { announce, element } from "./dom.js";
import { fileName } from "./format.js";

const FORMATS = [
  ["json", "JSON", "as in the results bucket"],
  ["csv", "CSV", "a line per moment, for spreadsheets"],
  ["md", "Markdown", "a page to read"],
  ["srt", "SRT", "captions of the transcript"],
  ["vtt", "WebVTT", "captions for web players"],
];
const KEYS = [
  ["Space", "Play or pause"],
  ["n, p", "Next, previous moment of the chosen phrase, or of all"],
  ["←, →", "5 seconds back, forward"],
  ["/", "Search in the transcript"],
  ["Enter, Shift + Enter", "Next, previous match"],
  ["Esc", "Close; show all phrases again"],
  ["?", "These keys"],
];

/** The last part of a path, for the address of a recording in the API. */
export const addressOf = (id, what = "") => `/api/recordings/${encodeURIComponent(id)}${what}`;

/** A button with a list of files below it. `say(text)` tells what went wrong. */
export function exportMenu(id, say) {
  const list = element("div", { class: "menu-list", id: "export-list", hidden: true });
  const button = element("button",
    { type: "button", "aria-expanded": "false", "aria-controls": "export-list", onclick: () => open(list.hidden) }, "Export");
  const menu = element("div", { class: "menu" }, button, list);
  function open(wanted) {
    list.hidden = !wanted;
    button.setAttribute("aria-expanded", wanted);
    if (wanted) list.querySelector("button").focus();
  }
  async function save(format) {
    open(false);
    button.focus();
    try {
      const { blob, name } = await file(addressOf(id, "/export"), { format });
      const link = element("a", { href: URL.createObjectURL(blob), download: name });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the download must have begun
      announce(`${name} is saved.`);
    } catch (error) {
      say(error.message);
    }
  }
  list.append(...FORMATS.map(([format, label, what]) =>
    element("button", { type: "button", onclick: () => save(format) }, element("b", {}, label), " ", element("small", {}, what))));
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || list.hidden) return;
    event.stopPropagation();
    open(false);
    button.focus();
  });
  menu.addEventListener("focusout", (event) => {
    if (!list.hidden && !menu.contains(event.relatedTarget)) open(false);
  });
  return menu;
}

/** Asks before it deletes; `deleted()` is called when it is accepted. */
export function deleteButton(recording, deleted) {
  const trouble = element("p", { class: "trouble", role: "alert", hidden: true });
  const sure = element("button", { type: "button", class: "danger", onclick: erase }, "Delete recording");
  const dialog = element("dialog", { "aria-labelledby": "delete-heading" },
    element("h2", { id: "delete-heading" }, "Delete this recording?"),
    element("p", {}, element("bdi", {}, fileName(recording.key)),
      ": the audio, the transcript, the highlights and AssemblyAI’s copy will be gone. This cannot be undone."),
    trouble,
    element("form", { method: "dialog", class: "actions" }, element("button", { autofocus: true }, "Keep it"), sure));
  async function erase() {
    sure.disabled = true;
    try {
      await remove(addressOf(recording.recording_id));
      dialog.close();
      deleted();
    } catch (error) {
      trouble.hidden = false;
      trouble.textContent = error.message;
      sure.disabled = false;
    }
  }
  const button = element("button", { type: "button", class: "erase", onclick: () => dialog.showModal() }, "Delete");
  return element("span", {}, button, dialog);
}

/** Submits it again; `accepted()` is called when that is done. */
export function retryButton(id, accepted, say) {
  const button = element("button", { type: "button", class: "primary", onclick: async () => {
    button.disabled = true;
    try {
      await post(addressOf(id, "/retry"));
      announce("It is submitted again.");
      accepted();
    } catch (error) {
      button.disabled = false;
      say(error.message);
    }
  } }, "Try again");
  return button;
}

/** Copies a link that begins at the time `position()` gives. */
export function linkButton(position) {
  const button = element("button", { type: "button", onclick: async () => {
    const link = new URL(location.href);
    link.hash = `t=${Math.round(position())}`;
    try {
      await navigator.clipboard.writeText(link.href);
      button.textContent = "Link copied";
      announce("The link to this moment is copied.");
    } catch {
      history.replaceState(history.state, "", link);
      button.textContent = "The link is in the address bar";
    }
    setTimeout(() => (button.textContent = "Copy link to this moment"), 2_500);
  } }, "Copy link to this moment");
  return button;
}

export function keysDialog() {
  return element("dialog", { "aria-labelledby": "keys-heading" },
    element("h2", { id: "keys-heading" }, "Keys"),
    element("dl", { class: "keys" }, KEYS.map(([keys, what]) => [
      element("dt", {}, keys.split(/(, | \+ )/).map((part, at) => (at % 2 ? part : element("kbd", {}, part)))),
      element("dd", {}, what)])),
    element("form", { method: "dialog", class: "actions" }, element("button", { autofocus: true }, "Close")));
}
