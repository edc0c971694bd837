/** The recordings of some days: a list that follows what happens, filters, uploads. */
import { CHANGED, isOpen } from "./actions.js";
import { ApiError, get } from "./api.js";
import { rewrite } from "./app.js";
import { announce, element, notLoaded } from "./dom.js";
import {
  counted,
  fileName,
  firstDay,
  highlightsWords,
  reasonOf,
  short,
  statuses,
  statusWords,
  visible,
} from "./format.js";
import { Row } from "./row.js";
import { arrived, awaited, isAwaited, onUploaded, uploadButton } from "./uploads.js";

const PAGE = 50;
const PAGES_AT_ONCE = 10; // so many pages without anything new are passed over
const ASKED_AT_ONCE = 10; // recordings in work that the newest page does not show
const SOON_MS = 3_000;
const LATER_MS = 10_000; // after a minute in which nothing happened
const IDLE_MS = 60_000; // nothing is in work; others may upload
const STALE_MS = 10_000; // for so long a list may still show what was before a retry or a deletion
const KEPT_MS = 15 * 60_000;

const DAYS = [7, 30, 90];
const COLUMNS = [
  { name: "name", label: "Name", first: 1, class: "what" },
  { name: "added", label: "Added", first: -1, class: "added" },
  { name: "length", label: "Length", first: -1, class: "length number" },
  { name: "status", label: "Status", first: 1, class: "how" },
];
const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
const ORDER = {
  name: (one, other) => collator.compare(fileName(one.key), fileName(other.key)),
  added: (one, other) => compare(one.created_at, other.created_at),
  length: (one, other) => one.audio_duration - other.audio_duration,
  status: (one, other) => statuses.indexOf(one.status) - statuses.indexOf(other.status),
};
const compare = (one, other) => (one < other ? -1 : one > other ? 1 : 0);
const folded = (text) => text.normalize("NFKC").toLowerCase();

let kept; // the list as it was left, for who comes back to it
addEventListener(CHANGED, (/** @type {any} */ { detail }) => {
  const one = kept?.recordings.find(({ recording_id }) => recording_id === detail.recording_id);
  if (one) Object.assign(one, { status: detail.status, reason: undefined });
});

export async function show(place, parameters) {
  const list = new List(place, parameters);
  await list.start();
  return { leave: () => list.leave(), update: (changed) => list.update(changed) };
}

class List {
  constructor(place, parameters) {
    this.rows = new Map(); // recording_id -> Row, all that are loaded
    this.next = null;
    this.fruitful = true; // whether older ones are loaded unasked: not after that brought nothing
    this.touched = new Map(); // recording_id -> what a list may still say of it for a while
    this.stirred = Date.now();
    this.read(parameters);
    this.build(place);
  }

  // ---- what is asked for: it stands in the address

  read(parameters) {
    const days = Number(parameters.get("days"));
    const status = parameters.get("status") ?? "";
    const sort = /^(-?)(name|added|length|status)$/.exec(parameters.get("sort") ?? "-added") ?? ["", "-", "added"];
    this.days = DAYS.includes(days) ? days : 30;
    this.status = statuses.includes(status) ? status : "";
    this.find = parameters.get("find") ?? "";
    this.call = parameters.get("call") ?? ""; // all recordings of a call, of whatever day and status
    this.sort = { name: sort[2], way: sort[1] ? -1 : 1 };
  }

  write() {
    const sort = `${this.sort.way < 0 ? "-" : ""}${this.sort.name}`;
    const given = Object.entries({
      call: this.call,
      days: this.days === 30 ? "" : this.days,
      status: this.status,
      find: this.find,
      sort: sort === "-added" ? "" : sort,
    }).filter(([, value]) => value !== "");
    rewrite(given.length ? `/?${new URLSearchParams(given)}` : "/");
  }

  get query() {
    if (this.call) return { call_id: this.call, limit: PAGE };
    return { from: firstDay(this.days), status: this.status, limit: PAGE };
  }

  // ---- the parts of the page

  build(place) {
    const [button, input] = uploadButton("Upload recordings");
    this.findBox = element("input", {
      type: "search",
      placeholder: "Filter by name or phrase, or a call id",
      "aria-label": "Filter by name or phrase, or a call id",
      autocomplete: "off",
      spellcheck: "false",
    });
    this.findBox.addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.filter(this.findBox.value), 150);
    });
    this.statusBox = element(
      "select",
      { "aria-label": "Status", onchange: () => this.choose({ status: this.statusBox.value }) },
      element("option", { value: "" }, "Every status"),
      statuses.map((status) => element("option", { value: status }, statusWords(status).label)),
    );
    this.dayBoxes = DAYS.map((days) =>
      element("input", { type: "radio", name: "days", value: days, onchange: () => this.choose({ days }) }),
    );
    this.heads = COLUMNS.map((column) =>
      element(
        "th",
        { role: "columnheader", scope: "col", class: column.class },
        element("button", { type: "button", class: "sort", onclick: () => this.order(column) }, column.label),
      ),
    );
    this.body = element("tbody", { role: "rowgroup" });
    this.table = element(
      "table",
      { role: "table", class: "table recordings", "aria-label": "Recordings" },
      element(
        "thead",
        { role: "rowgroup" },
        element(
          "tr",
          { role: "row" },
          this.heads,
          element("th", { role: "columnheader", scope: "col", class: "phrases" }, "Top phrases"),
          element(
            "th",
            { role: "columnheader", scope: "col", class: "do" },
            element("span", { class: "unseen" }, "Actions"),
          ),
        ),
      ),
      this.body,
    );
    this.period = element(
      "fieldset",
      { class: "choice" },
      element("legend", { class: "unseen" }, "Period"),
      DAYS.map((days, index) => element("label", {}, this.dayBoxes[index], element("span", {}, `${days} days`))),
    );
    this.calling = element("p", { hidden: true });
    this.summary = element("p", { class: "soft small", role: "status" });
    this.behind = element("p", { class: "message wait small", role: "status", hidden: true });
    this.blank = element("div", { class: "empty" });
    this.moreWrong = element("p", { class: "message bad small", role: "alert", hidden: true });
    this.more = element("button", { type: "button", onclick: () => this.older({ byHand: true }) }, "Load older");
    place.append(
      element(
        "div",
        { class: "page-head" },
        element("h1", {}, "Recordings"),
        element("div", { class: "actions" }, button, input),
      ),
      element(
        "div",
        { class: "controls", role: "search", "aria-label": "Recordings" },
        element("div", { class: "grow" }, this.findBox),
        this.statusBox,
        this.period,
      ),
      this.calling,
      this.behind,
      this.summary,
      element("div", { class: "card list" }, this.table, this.blank),
      element("div", { class: "older" }, this.moreWrong, this.more),
    );
    this.watcher = new IntersectionObserver(
      (entries) => {
        if (entries.some((one) => one.isIntersecting) && !this.find && this.fruitful) this.older();
      },
      { rootMargin: "800px" },
    );
    this.onSeen = () => {
      if (document.hidden) clearTimeout(this.timer);
      else this.refresh();
    };
    document.addEventListener("visibilitychange", this.onSeen);
    this.onChanged = (/** @type {any} */ { detail }) => this.act(detail);
    addEventListener(CHANGED, this.onChanged);
    this.endUploads = onUploaded(() => this.stir(1_000));
    this.controls();
  }

  controls() {
    if (this.findBox.value !== this.find) this.findBox.value = this.find;
    this.statusBox.hidden = this.period.hidden = Boolean(this.call);
    this.calling.hidden = !this.call;
    this.calling.replaceChildren(
      "Recordings of the call ",
      element("strong", {}, element("bdi", {}, visible(this.call))),
      ". ",
      element("a", { href: "/" }, "All recordings"),
    );
    this.statusBox.value = this.status;
    for (const box of this.dayBoxes) box.checked = Number(box.value) === this.days;
    for (const [index, column] of COLUMNS.entries()) {
      const sorted = this.sort.name === column.name;
      if (sorted) this.heads[index].setAttribute("aria-sort", this.sort.way > 0 ? "ascending" : "descending");
      else this.heads[index].removeAttribute("aria-sort");
    }
  }

  // ---- start, change, end

  async start() {
    const alike = ["call", "days", "status"].every((name) => kept?.[name] === this[name]);
    const same = alike && Date.now() - kept.at < KEPT_MS;
    if (same) {
      this.next = kept.next;
      this.merge(kept.recordings);
      this.draw();
      this.refresh();
    } else {
      this.load(); // the controls are there meanwhile
    }
  }

  update(parameters) {
    this.read(parameters);
    this.controls();
    this.load();
  }

  choose(change) {
    Object.assign(this, change);
    this.write();
    this.load();
  }

  filter(words) {
    this.find = words.trim() ? words : "";
    this.write();
    this.draw();
  }

  order({ name, first }) {
    this.sort = { name, way: this.sort.name === name ? -this.sort.way : first };
    this.write();
    this.controls();
    this.draw();
  }

  leave() {
    this.ended = true;
    this.loading?.abort();
    clearTimeout(this.timer);
    clearTimeout(this.typing);
    this.watcher.disconnect();
    this.endUploads();
    document.removeEventListener("visibilitychange", this.onSeen);
    removeEventListener(CHANGED, this.onChanged);
    const recordings = [...this.rows.values()].map((row) => row.recording);
    const { call, days, status, next } = this;
    if (recordings.length) kept = { call, days, status, next, recordings, at: Date.now() };
  }

  // ---- loading

  /** Begins anew with the newest. */
  async load() {
    this.loading?.abort();
    this.loading = new AbortController();
    const { signal } = this.loading;
    clearTimeout(this.timer);
    this.rows.clear();
    this.body.replaceChildren();
    this.next = null;
    this.fruitful = true;
    this.behind.hidden = this.moreWrong.hidden = true;
    this.table.setAttribute("aria-busy", "true");
    this.summary.textContent = "";
    this.blank.hidden = false;
    this.more.hidden = true;
    this.blank.replaceChildren(
      element("span", { class: "unseen" }, "Loading"),
      ...Array.from({ length: 6 }, () => element("div", { class: "skeleton" })),
    );
    try {
      await this.pages(undefined, signal);
    } catch (error) {
      if (error.name === "AbortError" || signal.aborted) return;
      this.table.hidden = true;
      this.blank.replaceChildren(...notLoaded("recordings", error, () => this.load()));
      return;
    } finally {
      if (!signal.aborted) this.table.removeAttribute("aria-busy");
    }
    this.stirred = Date.now();
    this.draw();
    this.schedule();
  }

  /** Loads from a cursor on until there is something new, within reason. */
  async pages(cursor, signal) {
    const before = this.rows.size;
    for (let page = 0; page < PAGES_AT_ONCE; page += 1) {
      const { recordings, next } = await get("/api/recordings", { ...this.query, cursor }, signal);
      if (signal.aborted) throw new DOMException("", "AbortError");
      this.merge(recordings);
      this.next = cursor = next;
      if (!next || this.rows.size > before) return;
    }
  }

  async older({ byHand = false } = {}) {
    if (!this.next || this.fetching) return;
    this.fetching = true;
    this.moreWrong.hidden = true;
    this.more.setAttribute("aria-disabled", "true");
    this.more.replaceChildren(element("span", { class: "spinner", "aria-hidden": "true" }), "Loading older");
    const before = this.rows.size;
    const { signal } = (this.loading ??= new AbortController());
    try {
      await this.pages(this.next, signal);
      this.fruitful = this.rows.size > before;
      if (byHand) announce(`${counted(this.rows.size - before, "older recording")} loaded.`);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.fruitful = false;
      this.moreWrong.textContent = `Older recordings could not be loaded. ${error.message}`;
      this.moreWrong.hidden = false;
    } finally {
      this.fetching = false;
      this.more.removeAttribute("aria-disabled");
      this.more.replaceChildren("Load older");
    }
    if (!this.ended) this.draw();
  }

  /** Asks for the newest, and for those in work that are not among them. */
  async refresh() {
    clearTimeout(this.timer);
    if (this.ended || this.refreshing || this.table.hasAttribute("aria-busy")) return;
    this.refreshing = true;
    const { signal } = (this.loading ??= new AbortController());
    try {
      const { recordings, next } = await get("/api/recordings", this.query, signal);
      const listed = new Set(recordings.map((one) => one.recording_id));
      const meets = recordings.some((one) => this.rows.has(one.recording_id));
      if (recordings.length && !meets && next) this.next = next; // more arrived than a page holds: the gap is loaded like older ones
      const unlisted = this.unlisted(listed, next ? recordings.at(-1)?.created_at : "");
      const asked = await Promise.all(unlisted.map((row) => current(row.recording, signal)));
      if (signal.aborted) return;
      this.merge([...recordings, ...asked.filter(Boolean)], { tell: true });
      for (const [index, row] of unlisted.entries()) if (!asked[index]) this.drop(row);
      this.behind.hidden = true;
      this.draw();
    } catch (error) {
      if (error.name === "AbortError" || signal.aborted) return;
      this.behind.textContent = `The list may be behind. ${error.message}`;
      this.behind.hidden = false;
    } finally {
      this.refreshing = false;
      if (!signal.aborted) this.schedule();
    }
  }

  /** Loaded rows to ask for one by one: in work further down; or they should be on the page and are not. */
  unlisted(listed, oldest) {
    const due = [...this.rows.values()].filter(({ recording }) => {
      if (listed.has(recording.recording_id)) return false;
      if (isOpen(recording) || recording.status === "deleting") return true;
      return (
        (this.call || !this.status || recording.status === this.status) &&
        oldest !== undefined &&
        recording.created_at > oldest
      );
    });
    // Who waits longest comes first.
    due.sort((one, other) => (one.asked ?? 0) - (other.asked ?? 0));
    const some = due.slice(0, ASKED_AT_ONCE);
    for (const row of some) row.asked = Date.now();
    return some;
  }

  schedule() {
    clearTimeout(this.timer);
    if (this.ended || document.hidden) return;
    const busy =
      awaited() ||
      [...this.rows.values()].some(({ recording }) => isOpen(recording) || recording.status === "deleting");
    const pace = !busy ? IDLE_MS : Date.now() - this.stirred < 60_000 && this.behind.hidden ? SOON_MS : LATER_MS;
    this.timer = setTimeout(() => this.refresh(), pace);
  }

  /** Something happened: look soon. */
  stir(after = SOON_MS) {
    this.stirred = Date.now();
    clearTimeout(this.timer);
    if (!document.hidden && !this.ended) this.timer = setTimeout(() => this.refresh(), after);
  }

  merge(recordings, { tell = false } = {}) {
    for (const recording of recordings) {
      const { recording_id: id, status } = recording;
      const touched = this.touched.get(id);
      if (touched && Date.now() < touched.until && touched.status === status) continue;
      const row = this.rows.get(id);
      if (!row) {
        this.rows.set(id, new Row(recording));
        if (tell) this.stirred = Date.now();
        if (tell && isAwaited(recording.key) && !isOpen(recording)) announce(ending(recording)); // it was quick
      } else {
        if (row.recording.status !== status) this.stirred = Date.now();
        if (tell && isOpen(row.recording) && !isOpen(recording)) announce(ending(recording));
        row.show(recording);
      }
    }
    if (awaited()) arrived(new Set([...this.rows.values()].map(({ recording }) => recording.key)));
  }

  /** The user did something: it shows at once, whatever a list says that was made before. */
  act({ recording_id, status }) {
    const row = this.rows.get(recording_id);
    if (!row) return;
    this.touched.set(recording_id, { status: row.recording.status, until: Date.now() + STALE_MS });
    row.show({ ...row.recording, status, reason: undefined });
    announce(`${short(fileName(row.recording.key))}: ${statusWords(status).label}.`);
    this.draw();
    this.stir();
  }

  drop(row) {
    const { recording_id, key, status } = row.recording;
    const held = row.element.contains(document.activeElement);
    const beside = row.element.nextElementSibling ?? row.element.previousElementSibling;
    this.rows.delete(recording_id);
    this.touched.set(recording_id, { status, until: Date.now() + STALE_MS });
    row.element.remove();
    announce(`${short(fileName(key))} is deleted.`);
    if (held) (beside?.querySelector("a") ?? this.findBox).focus();
  }

  // ---- what is seen

  draw() {
    const all = [...this.rows.values()];
    const words = folded(this.find).split(/\s+/).filter(Boolean);
    const found = words.length ? all.filter(({ recording }) => matches(recording, words)) : all;
    found.sort((one, other) => this.compare(one.recording, other.recording));
    arrange(
      this.body,
      found.map((row) => row.element),
    );
    this.table.hidden = found.length === 0;
    this.summary.textContent = this.summed(found.length, all.length, words.length > 0);
    this.blank.hidden = found.length > 0;
    if (!found.length) this.blank.replaceChildren(...this.nothing(all.length));
    this.more.hidden = !this.next;
    this.watcher.disconnect();
    if (this.next) this.watcher.observe(this.more); // tells at once where it is in sight
  }

  compare(one, other) {
    const { name, way } = this.sort;
    if (name === "length" && (one.audio_duration == null || other.audio_duration == null)) {
      const known = Number(one.audio_duration == null) - Number(other.audio_duration == null);
      if (known) return known; // those without a length stand at the end, either way
    }
    return (
      way * (ORDER[name](one, other) || 0) ||
      compare(other.created_at, one.created_at) ||
      compare(one.recording_id, other.recording_id)
    );
  }

  summed(found, all, filtered) {
    if (!all) return "";
    const count = filtered ? `${found.toLocaleString()} of ${counted(all, "recording")}` : counted(all, "recording");
    if (!this.next) return count;
    const limited = filtered || this.sort.name !== "added" || this.sort.way > 0;
    return `${count} loaded, there are older ones.${limited ? " Filter and order are of what is loaded." : ""}`;
  }

  nothing(all) {
    const period = `in the last ${this.days} days`;
    const button = (words, act) => element("button", { type: "button", onclick: act }, words);
    const longer = this.days < 90 && button("Show 90 days", () => this.settle({ days: 90 }));
    const prefix = this.find.trim();
    if (prefix && (all || !this.next)) {
      return [
        element("h2", {}, "Nothing matches"),
        element(
          "p",
          {},
          "No name and no top phrase of the recordings loaded here has “",
          element("bdi", {}, prefix),
          "” in it.",
        ),
        element(
          "div",
          { class: "actions" },
          button("Clear the filter", () => this.settle({ find: "" })),
          prefix !== this.call &&
            button(`Look for call id ${short(prefix, 40)}`, () => this.settle({ call: prefix, find: "" })),
          element(
            "a",
            { class: "button", href: `/?${new URLSearchParams({ view: "phrases", prefix })}` },
            "Search all phrases",
          ),
        ),
      ];
    }
    if (this.call) {
      return [
        element("h2", {}, "No recording of this call"),
        element(
          "p",
          {},
          "No recording has “",
          element("bdi", {}, visible(this.call)),
          "” as call_id in its object's metadata. It must be the whole of it, written the same.",
        ),
      ];
    }
    if (this.next)
      return [element("h2", {}, "Nothing found yet"), element("p", {}, "There are older recordings to look through.")];
    if (this.status) {
      return [
        element("h2", {}, `Nothing is ${statusWords(this.status).label.toLowerCase()} here`),
        element("p", {}, `No recording of this status was added ${period}.`),
        element(
          "div",
          { class: "actions" },
          button("Show every status", () => this.settle({ status: "" })),
          longer || null,
        ),
      ];
    }
    return [
      element("h2", {}, `No recordings ${period}`),
      element(
        "p",
        {},
        "Drop audio or video files anywhere on this page, or choose them. Whatever else is put into the S3 bucket appears here too; its highlights follow about a minute later.",
      ),
      element("div", { class: "actions" }, uploadButton("Choose files"), longer || null),
    ];
  }

  /** A way out of an empty list; its button goes away, so the focus goes to the filters. */
  settle(change) {
    this.choose(change);
    this.controls();
    this.findBox.focus();
  }
}

/** The recording as it is now; null where it is gone. */
async function current({ recording_id }, signal) {
  try {
    const { highlights, audio, audio_url, transcript_url, highlights_url, ...recording } = await get(
      `/api/recordings/${recording_id}`,
      {},
      signal,
    );
    return recording;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

function ending(recording) {
  const { key, status, highlights_status, highlight_count } = recording;
  const name = short(fileName(key));
  if (status !== "completed") return `${name}: ${statusWords(status).label}. ${reasonOf(recording)}`;
  return `${name} is completed: ${highlightsWords(highlights_status) || counted(highlight_count ?? 0, "highlight")}.`;
}

function matches({ key, top_highlights = [] }, words) {
  const text = folded([key, visible(fileName(key)), ...top_highlights].join("\n"));
  return words.every((word) => text.includes(word));
}

/** Puts the elements in this order, and touches only those that stand elsewhere; the focus stays where it is. */
function arrange(body, wanted) {
  const focused = /** @type {HTMLElement} */ (body.contains(document.activeElement) ? document.activeElement : null);
  const staying = new Set(wanted);
  for (const one of [...body.children]) if (!staying.has(one)) one.remove();
  let at = body.firstElementChild;
  for (const one of wanted) {
    if (one === at) at = at.nextElementSibling;
    else body.insertBefore(one, at);
  }
  if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
}
