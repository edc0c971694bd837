/** What can be done with a recording that is there: saved as files, linked to; and the keys. */
import { file } from "./api.js";
import { announce, element } from "./dom.js";

const FORMATS = [
  ["json", "JSON", "as in the results bucket"],
  ["csv", "CSV", "a line per moment, for spreadsheets"],
  ["md", "Markdown", "a page to read"],
  ["srt", "SRT", "captions of the transcript"],
  ["vtt", "WebVTT", "captions for the web"],
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
  const button = element(
    "button",
    { type: "button", "aria-expanded": "false", "aria-controls": "export-list", onclick: () => open(list.hidden) },
    "Export",
  );
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
  list.append(
    ...FORMATS.map(([format, label, what]) =>
      element(
        "button",
        { type: "button", onclick: () => save(format) },
        element("b", {}, label),
        " ",
        element("small", {}, what),
      ),
    ),
  );
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

/** Copies a link that begins at the time `position()` gives. */
export function linkButton(position) {
  const button = element(
    "button",
    {
      type: "button",
      onclick: async () => {
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
      },
    },
    "Copy link to this moment",
  );
  return button;
}

export function keysDialog() {
  return element(
    "dialog",
    { "aria-labelledby": "keys-heading" },
    element("h2", { id: "keys-heading" }, "Keys"),
    element(
      "dl",
      { class: "keys" },
      KEYS.flatMap(([keys, what]) => [
        element(
          "dt",
          {},
          keys.split(/(, | \+ )/).map((part, at) => (at % 2 ? part : element("kbd", {}, part))),
        ),
        element("dd", {}, what),
      ]),
    ),
    element("form", { method: "dialog", class: "actions" }, element("button", { autofocus: true }, "Close")),
  );
}
