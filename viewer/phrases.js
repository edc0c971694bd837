/** What was said most, and where: phrases of all recordings, and every moment of one of them. */
import { get } from "./api.js";
import { rewrite } from "./app.js";
import { Dock } from "./dock.js";
import { announce, element, notLoaded } from "./dom.js";
import { clock, counted, fileName, firstDay, folder, short, visible, when } from "./format.js";
import { trend } from "./trend.js";

const DAYS = [7, 30, 90];
const FIRST = 50;
const MOST = 200; // what the API gives at most
const MOMENTS = 12; // shown of a recording before "more"
const TYPING_MS = 250;

export async function show(place, parameters) {
  const phrases = new Phrases(place, parameters);
  return { leave: () => phrases.leave(), update: (changed) => phrases.update(changed) };
}

/** How two spellings of a phrase are the same for the API. */
const folded = (text) => text.normalize("NFKC").toLowerCase().split(/\s+/).filter(Boolean).join(" ");

class Phrases {
  constructor(place, parameters) {
    this.dock = new Dock();
    this.links = new Map(); // phrase -> its link in the list
    this.limit = FIRST;
    this.read(parameters);
    this.build(place);
    this.controls();
    this.list();
    this.select();
  }

  read(parameters) {
    const days = Number(parameters.get("days"));
    this.days = DAYS.includes(days) ? days : 30;
    this.prefix = parameters.get("prefix") ?? "";
    this.phrase = parameters.get("phrase") ?? "";
  }

  address(change = {}) {
    const { days, prefix, phrase } = { days: this.days, prefix: this.prefix, phrase: this.phrase, ...change };
    const given = Object.entries({ view: "phrases", days: days === 30 ? "" : days, prefix, phrase }).filter(
      ([, value]) => value !== "",
    );
    return `/?${new URLSearchParams(given)}`;
  }

  build(place) {
    this.box = element("input", {
      type: "search",
      placeholder: "Phrases that begin with …",
      "aria-label": "Search phrases",
      autocomplete: "off",
      spellcheck: "false",
    });
    this.box.addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.search(this.box.value), TYPING_MS);
    });
    this.dayBoxes = DAYS.map((days) =>
      element("input", { type: "radio", name: "days", value: days, onchange: () => this.choose(days) }),
    );
    this.summary = element("p", { class: "soft small", role: "status" });
    this.body = element("tbody", { role: "rowgroup" });
    const head = (words, kind) => element("th", { role: "columnheader", scope: "col", class: kind }, words);
    this.table = element(
      "table",
      { role: "table", class: "table top-phrases", "aria-label": "Top phrases" },
      element(
        "thead",
        { role: "rowgroup" },
        element(
          "tr",
          { role: "row" },
          head(
            element(
              "span",
              {},
              element("span", { "aria-hidden": "true" }, "#"),
              element("span", { class: "unseen" }, "Place"),
            ),
            "place number",
          ),
          head("Phrase", "phrase"),
          head("Recordings", "number"),
          head("Times said", "number"),
          head("Trend", "line"),
        ),
      ),
      this.body,
    );
    this.blank = element("div", { class: "empty" });
    this.more = element("button", { type: "button", onclick: () => this.showMore() }, `Show up to ${MOST}`);
    this.sayings = element("section", { class: "sayings", "aria-labelledby": "phrase-title" });
    this.columns = element(
      "div",
      { class: "columns" },
      element(
        "div",
        { class: "all" },
        this.summary,
        element("div", { class: "card" }, this.table, this.blank),
        element("div", { class: "older" }, this.more),
      ),
      this.sayings,
    );
    place.append(
      element("div", { class: "page-head" }, element("h1", {}, "Phrases")),
      element(
        "div",
        { class: "controls", role: "search", "aria-label": "Phrases" },
        element("div", { class: "grow" }, this.box),
        element(
          "fieldset",
          { class: "choice" },
          element("legend", { class: "unseen" }, "Period"),
          DAYS.map((days, index) => element("label", {}, this.dayBoxes[index], element("span", {}, `${days} days`))),
        ),
      ),
      this.columns,
    );
  }

  controls() {
    if (this.box.value !== this.prefix && document.activeElement !== this.box) this.box.value = this.prefix;
    for (const box of this.dayBoxes) box.checked = Number(box.value) === this.days;
  }

  update(parameters) {
    const { days, prefix, phrase } = this;
    this.read(parameters);
    if (prefix !== this.prefix) this.box.value = this.prefix;
    this.controls();
    const same = days === this.days && prefix === this.prefix;
    if (same) this.mark();
    else this.list();
    if (phrase !== this.phrase) {
      this.select();
      if (this.phrase) document.getElementById("phrase-title").focus();
      else (this.links.get(folded(phrase)) ?? this.box).focus(); // back where it was chosen
    } else if (same) {
      this.list(); // the same again: what is new?
    }
  }

  search(words) {
    if (words === this.prefix) return;
    this.prefix = words;
    this.limit = FIRST;
    rewrite(this.address());
    this.list();
  }

  choose(days) {
    this.days = days;
    rewrite(this.address());
    this.list();
  }

  async showMore() {
    this.limit = MOST;
    const last = this.body.lastElementChild;
    await this.list();
    const next = last && this.links.get(last.dataset.phrase)?.closest("tr").nextElementSibling;
    (next?.querySelector("a") ?? this.box).focus(); // the button is gone
  }

  leave() {
    clearTimeout(this.typing);
    this.listing?.abort();
    this.selecting?.abort();
    this.dock.end();
  }

  // ---- the list

  async list() {
    this.listing?.abort();
    this.listing = new AbortController();
    const { signal } = this.listing;
    this.table.setAttribute("aria-busy", "true");
    if (!this.body.childElementCount) {
      this.table.hidden = true;
      this.more.hidden = true;
      this.blank.hidden = false;
      this.blank.replaceChildren(
        element("span", { class: "unseen" }, "Loading"),
        ...Array.from({ length: 6 }, () => element("div", { class: "skeleton" })),
      );
    }
    try {
      const found = await get(
        "/api/phrases",
        { from: firstDay(this.days), prefix: this.prefix.trim(), limit: this.limit },
        signal,
      );
      if (!signal.aborted) this.drawList(found);
    } catch (error) {
      if (error.name === "AbortError" || signal.aborted) return;
      this.empty(...notLoaded("phrases", error, () => this.list()));
    } finally {
      if (!signal.aborted) this.table.removeAttribute("aria-busy");
    }
  }

  drawList({ from, phrases, counted_at }) {
    const prefix = this.prefix.trim();
    const period = `in the last ${this.days} days`;
    if (!phrases.length && prefix) {
      this.empty(
        element("h2", {}, "No such phrase"),
        element("p", {}, "No phrase begins with “", element("bdi", {}, prefix), `” ${period}.`),
        element(
          "div",
          { class: "actions" },
          element("button", { type: "button", onclick: () => this.clear() }, "Clear the search"),
          element("a", { class: "button", href: this.address({ phrase: prefix }) }, "Look on all days"),
        ),
      );
    } else if (!phrases.length) {
      this.empty(
        element("h2", {}, `No phrases ${period}`),
        element("p", {}, "They appear as soon as recordings are completed."),
        element("div", { class: "actions" }, element("a", { class: "button", href: "/" }, "To the recordings")),
      );
    } else {
      this.links.clear();
      this.body.replaceChildren(...phrases.map((one, index) => this.row(one, index, from)));
      this.table.hidden = false;
      this.blank.hidden = true;
      this.more.hidden = phrases.length < this.limit || this.limit === MOST;
      const found =
        this.more.hidden && this.limit < MOST
          ? counted(phrases.length, "phrase")
          : `The ${phrases.length.toLocaleString()} phrases that most recordings say`;
      this.summary.textContent = counted_at ? `${found} · large days counted ${when(counted_at)}` : found;
      this.mark();
    }
  }

  row({ phrase, text, count, recordings, trend: counts }, index, from) {
    const link = element("a", { href: this.address({ phrase }), title: text }, element("bdi", {}, visible(text)));
    this.links.set(phrase, link);
    return element(
      "tr",
      { role: "row", "data-phrase": phrase },
      element("td", { role: "cell", class: "place number soft" }, index + 1),
      element("th", { role: "rowheader", scope: "row", class: "phrase" }, link),
      element(
        "td",
        { role: "cell", class: "number", "data-unit": recordings === 1 ? "recording" : "recordings" },
        recordings.toLocaleString(),
      ),
      element(
        "td",
        { role: "cell", class: "number", "data-unit": count === 1 ? "time" : "times" },
        count.toLocaleString(),
      ),
      element("td", { role: "cell", class: "line" }, trend(counts, from)),
    );
  }

  empty(...children) {
    this.body.replaceChildren();
    this.links.clear();
    this.table.hidden = true;
    this.more.hidden = true;
    this.summary.textContent = "";
    this.blank.hidden = false;
    this.blank.replaceChildren(...children);
  }

  clear() {
    this.box.value = "";
    this.box.focus();
    this.search("");
  }

  mark() {
    for (const [phrase, link] of this.links) {
      if (phrase === folded(this.phrase)) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
      link.href = this.address({ phrase });
    }
    this.back?.setAttribute("href", this.address({ phrase: "" }));
  }

  // ---- one phrase

  async select() {
    this.selecting?.abort();
    this.columns.classList.toggle("chosen", this.phrase !== "");
    document.title = `${this.phrase ? `${short(this.phrase)} · ` : ""}Phrases · Highlights`;
    if (!this.phrase) {
      this.sayings.replaceChildren(
        element(
          "div",
          { class: "empty" },
          element("h2", { id: "phrase-title", tabindex: "-1" }, "Where it is said"),
          element("p", {}, "Choose a phrase to see the recordings that say it, and to hear each moment."),
        ),
      );
      return;
    }
    this.selecting = new AbortController();
    this.cursor = undefined;
    this.found = element("ol", { class: "found" });
    this.foundState = element("div", { class: "older" });
    this.back = element("a", { class: "small back", href: this.address({ phrase: "" }) }, "All phrases");
    this.sayings.replaceChildren(
      this.back,
      element("h2", { id: "phrase-title", tabindex: "-1" }, element("bdi", {}, visible(this.phrase))),
      element("p", { class: "soft small" }, "Newest first, of all days. A time plays that moment."),
      this.found,
      this.foundState,
    );
    await this.older();
  }

  async older(byHand = false) {
    const { signal } = this.selecting;
    this.foundState.replaceChildren(
      element("p", { class: "soft" }, element("span", { class: "spinner", "aria-hidden": "true" }), " Loading"),
    );
    try {
      const { sayings, next } = await get(
        "/api/phrases/recordings",
        { phrase: this.phrase, cursor: this.cursor },
        signal,
      );
      if (signal.aborted) return;
      this.cursor = next;
      const items = sayings.map((saying) => this.saying(saying));
      this.found.append(...items);
      if (byHand) {
        announce(`${counted(items.length, "older recording")} loaded.`);
        items[0]?.querySelector("a").focus();
      }
      this.foundState.replaceChildren(
        ...[
          !this.found.childElementCount &&
            !next &&
            element("p", { class: "empty", role: "status" }, "No recording says it."),
          next && element("button", { type: "button", onclick: () => this.older(true) }, "Load older"),
        ].filter(Boolean),
      );
    } catch (error) {
      if (error.name === "AbortError" || signal.aborted) return;
      this.foundState.replaceChildren(
        element(
          "div",
          { class: "message bad", role: "alert" },
          element("p", {}, `The recordings could not be loaded. ${error.message}`),
          element("button", { type: "button", onclick: () => this.older(byHand) }, "Try again"),
        ),
      );
    }
  }

  saying({ recording_id, key, completed_at, text, count, timestamps, timestamps_cut }) {
    const name = fileName(key);
    const moments = element("ul", { class: "moments", "aria-label": `Moments in ${short(name)}` });
    const moment = ({ start }) => {
      const button = element(
        "button",
        {
          type: "button",
          class: "compact number",
          "aria-label": `Play at ${clock(start)}`,
          onclick: () => this.dock.play({ recording_id, key, text, start }, button),
        },
        clock(start),
      );
      return element("li", {}, button);
    };
    const few = timestamps.length <= MOMENTS + 1 ? timestamps : timestamps.slice(0, MOMENTS);
    moments.append(...few.map(moment));
    const rest = timestamps.slice(few.length);
    if (rest.length) {
      const all = element(
        "button",
        {
          type: "button",
          class: "quiet compact",
          onclick: () => {
            const items = rest.map(moment);
            all.closest("li").replaceWith(...items);
            items[0].querySelector("button").focus();
          },
        },
        `${rest.length.toLocaleString()} more`,
      );
      moments.append(element("li", {}, all));
    }
    const first = timestamps[0] ? `#t=${timestamps[0].start}` : "";
    return element(
      "li",
      { class: "card" },
      element(
        "div",
        { class: "saying-head" },
        element(
          "h3",
          {},
          element(
            "a",
            { class: "recording-name", href: `/?recording=${recording_id}${first}`, title: key },
            element("bdi", {}, visible(name)),
          ),
        ),
        element("span", { class: "soft small number" }, counted(count, "time")),
      ),
      element(
        "p",
        { class: "soft small" },
        element("time", { datetime: completed_at }, when(completed_at)),
        folder(key) && [" · ", element("bdi", { class: "inline-folder" }, folder(key))],
      ),
      moments,
      timestamps_cut && element("p", { class: "soft small" }, "There are more: the recording's file has them all."),
    );
  }
}
