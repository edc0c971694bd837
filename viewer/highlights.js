/** The phrases of a recording: ranked, filtered, sorted; the chosen one with all its times. */
import { element } from "./dom.js";
import { clock } from "./format.js";

const ORDERS = {
  rank: { label: "Rank", by: (highlight) => highlight.position },
  count: { label: "Count", by: (highlight) => -highlight.count },
  first: { label: "First heard", by: (highlight) => highlight.timestamps[0]?.start ?? Number.MAX_SAFE_INTEGER },
};
const TIMES_AT_ONCE = 60;

export class Highlights {
  #highlights = [];
  #moments;
  #chosen;
  #moment;
  #shown = TIMES_AT_ONCE;
  #choose;
  #play;

  /** `choose(highlight)` is called with a phrase or nothing, `play(moment)` with one of its moments. */
  constructor({ choose, play }) {
    this.#choose = choose;
    this.#play = play;
    this.filter = element("input", {
      type: "search",
      "aria-label": "Filter phrases",
      placeholder: "Filter phrases",
      spellcheck: "false",
      oninput: () => this.#draw(),
    });
    this.order = element(
      "select",
      { "aria-label": "Sort phrases by", onchange: () => this.#draw() },
      Object.entries(ORDERS).map(([name, { label }]) => element("option", { value: name }, label)),
    );
    this.list = element("ol", { class: "phrase-list" });
    this.none = element("p", { class: "note", hidden: true });
    this.all = element(
      "button",
      { type: "button", class: "quiet show-all", hidden: true, onclick: () => choose() },
      "Show all phrases",
    );
    this.tools = element("div", { class: "phrase-tools" }, this.filter, this.order);
    this.count = element("span", { class: "badge" });
    // Open from the start; on a phone it can be closed to come to the transcript.
    this.place = element(
      "details",
      { class: "phrase-panel", open: true },
      element("summary", {}, element("h2", {}, "Phrases "), this.count),
      this.tools,
      this.all,
      this.list,
      this.none,
    );
  }

  /** Says why there are no phrases, or not yet. */
  say(...what) {
    this.#highlights = [];
    this.tools.hidden = true;
    this.count.hidden = true;
    this.list.replaceChildren();
    this.none.hidden = false;
    this.none.replaceChildren(...what);
  }

  show(moments) {
    this.#moments = moments;
    this.#highlights = moments.highlights;
    this.tools.hidden = false;
    this.count.hidden = false;
    this.count.textContent = this.#highlights.length;
    this.#draw();
  }

  choose(highlight, moment) {
    if (highlight !== this.#chosen) this.#shown = TIMES_AT_ONCE;
    const drawn = highlight !== this.#chosen;
    this.#chosen = highlight;
    this.#moment = moment;
    this.all.hidden = !highlight;
    if (drawn) this.#draw({ keepFocus: true });
    else this.#markMoment();
  }

  #draw({ keepFocus = false } = {}) {
    const focused = keepFocus
      ? document.activeElement?.closest?.("[data-position]")?.getAttribute("data-position")
      : undefined;
    const wanted = this.filter.value.normalize("NFKC").toLowerCase().trim();
    const { by } = ORDERS[this.order.value];
    const shown = this.#highlights
      .filter((highlight) => `${highlight.phrase} ${highlight.text.toLowerCase()}`.includes(wanted))
      .sort((one, other) => by(one) - by(other) || one.position - other.position);
    const most = Math.max(...this.#highlights.map((highlight) => highlight.rank ?? 0), 0);
    this.list.replaceChildren(...shown.map((highlight) => this.#item(highlight, most)));
    this.none.hidden = shown.length > 0 || !this.#highlights.length;
    if (!this.none.hidden) this.none.textContent = "No phrase has that in it.";
    if (focused) this.list.querySelector(`[data-position="${focused}"] .phrase`)?.focus();
    this.#markMoment();
  }

  #item(highlight, most) {
    const chosen = highlight === this.#chosen;
    const bar = element("span", { class: "rank-bar", "aria-hidden": "true" }, element("span"));
    bar.firstChild.style.width = `${most ? ((highlight.rank ?? 0) / most) * 100 : 0}%`;
    const rank = highlight.rank === undefined ? "no rank" : `rank ${highlight.rank}`;
    const times = `${highlight.count.toLocaleString()} ${highlight.count === 1 ? "time" : "times"}`;
    return element(
      "li",
      { "data-position": highlight.position, class: chosen && "chosen" },
      element(
        "button",
        {
          type: "button",
          class: "phrase",
          title: rank,
          "aria-current": chosen && "true",
          onclick: () => this.#choose(highlight),
        },
        element("bdi", {}, highlight.text),
        element("span", { class: "badge", "aria-hidden": "true" }, `${highlight.count.toLocaleString()}`),
        element("span", { class: "unseen" }, `, ${times}, ${rank}`),
        bar,
      ),
      chosen ? this.#times(highlight) : null,
    );
  }

  #times(highlight) {
    const moments = this.#moments.of(highlight);
    const rest = moments.length - this.#shown;
    return element(
      "div",
      { class: "times", role: "group", "aria-label": "When it is said" },
      moments
        .slice(0, this.#shown)
        .map((moment) =>
          element(
            "button",
            { type: "button", "data-start": moment.start, onclick: () => this.#play(moment) },
            clock(moment.start),
          ),
        ),
      rest > 0
        ? element(
            "button",
            { type: "button", class: "quiet", onclick: () => this.#more() },
            `${rest.toLocaleString()} more`,
          )
        : null,
      highlight.timestamps_cut
        ? element(
            "p",
            { class: "note" },
            `These are the first ${moments.length.toLocaleString()} of ${highlight.count.toLocaleString()}; the JSON export has all.`,
          )
        : null,
      moments.length ? null : element("p", { class: "note" }, "No time is known for it."),
    );
  }

  #more() {
    this.#shown += 10 * TIMES_AT_ONCE;
    this.#draw({ keepFocus: true });
  }

  #markMoment() {
    for (const time of this.list.querySelectorAll(".times [aria-current]")) time.removeAttribute("aria-current");
    if (!this.#moment) return;
    this.list.querySelector(`.times [data-start="${this.#moment.start}"]`)?.setAttribute("aria-current", "true");
  }
}
