/**
 * The transcript: read, searched, followed while it plays, and a click on a word goes there.
 *
 * A paragraph is one text node, so that selecting, copying and the browser's own search work, and three hours are 700
 * paragraphs, not 30,000 elements. Words are marked with the CSS Custom Highlight API, and only in paragraphs near the
 * window: a browser goes through all ranges when one of them changes. Without that API the text is there, unmarked.
 *
 * Measured in headless Chromium 156 on two busy cores, 30,000 words (3 hours) and 90,000 words (9 hours): from the
 * transcript's bytes to its painted text, parsing included, 0.3 and 0.5 s; a search 20 to 200 ms; a frame while
 * playing 17 ms in the median. Putting the paragraphs in alone: 25 and 130 ms; without `content-visibility` 150 and 230;
 * with an element for each word 1.3 and 1.7 s. With 5,000 ranges and no `content-visibility` a frame took 74 ms.
 */
import { announce, element } from "./dom.js";
import { clock } from "./format.js";
import { icon } from "./icons.js";

// From what yields to what wins where marks overlap.
const MARKS = ["phrases", "phrase", "moment", "found", "found-here", "spoken", "pointed"];
const NEAR = "600px 0px"; // paragraphs so far outside the window are marked too
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Transcript {
  #words;
  #moments;
  #paragraphs = []; // { place, text, offsets }
  #near = new Set();
  #marks = new Map();
  #observer;
  #ending = new AbortController();
  #painting = 0;
  #following = true;
  #spoken;
  #chosen;
  #moment;
  #found = [];
  #foundHere = -1;
  #seek;

  /** `seek(ms)` is called when a word or the time of a paragraph is chosen. */
  constructor(seek) {
    this.#seek = seek;
    this.body = element("div", { class: "transcript-text" });
    this.search = element("input", {
      type: "search",
      "aria-label": "Search in the transcript",
      placeholder: "Search in the transcript",
      spellcheck: "false",
      oninput: () => this.#searchFor(this.search.value),
      onkeydown: (event) => this.#searchKey(event),
    });
    this.matches = element("output", { class: "matches", "aria-live": "polite" });
    const step = (label, picture, by) =>
      element(
        "button",
        { type: "button", class: "quiet icon", "aria-label": label, title: label, onclick: () => this.#goToMatch(by) },
        icon(picture),
      );
    this.bar = element(
      "div",
      { class: "transcript-bar", role: "search" },
      this.search,
      this.matches,
      step("Previous match", "up", -1),
      step("Next match", "down", 1),
    );
    this.followButton = element(
      "button",
      { type: "button", class: "follow", hidden: true, onclick: () => this.follow() },
      "Follow",
    );
    this.place = element(
      "section",
      { class: "transcript", "aria-labelledby": "transcript-heading" },
      element("h2", { id: "transcript-heading" }, "Transcript"),
      this.bar,
      this.body,
      element("div", { class: "follow-place" }, this.followButton),
    );
    this.bar.hidden = true;
    this.#listen();
  }

  /** Says why there is no text, or not yet. */
  say(...what) {
    this.bar.hidden = true;
    this.body.replaceChildren(element("div", { class: "note" }, ...what));
  }

  show(words, moments) {
    this.#words = words;
    this.#moments = moments;
    const speakers = [...new Set(words.paragraphs.map((paragraph) => paragraph.speaker))];
    const list = document.createDocumentFragment();
    this.#paragraphs = words.paragraphs.map((paragraph, at) => {
      const texts = words.list.slice(paragraph.first, paragraph.last + 1).map((word) => word.text);
      const text = document.createTextNode(texts.join(" "));
      const another = paragraph.speaker !== null && words.paragraphs[at - 1]?.speaker !== paragraph.speaker;
      const place = element(
        "div",
        { class: "paragraph", "data-paragraph": at },
        another
          ? element(
              "bdi",
              { class: `speaker speaker-${speakers.indexOf(paragraph.speaker) % 6}` },
              speakerName(paragraph.speaker),
            )
          : null,
        element(
          "button",
          { type: "button", class: "time", tabindex: at ? -1 : 0, "aria-label": `Play from ${clock(paragraph.start)}` },
          clock(paragraph.start),
        ),
        element("p", { dir: "auto" }, text),
      );
      list.append(place);
      return { ...paragraph, place, text, texts };
    });
    this.body.replaceChildren(list);
    this.bar.hidden = words.list.length === 0;
    this.#mark();
  }

  /** Marks the phrases; the chosen one and the chosen moment of it strongly. */
  choose(highlight, moment) {
    this.#chosen = highlight;
    this.#moment = moment;
    this.#paint();
  }

  /** Marks the word that is said at `ms` and, while following, keeps it in sight. */
  at(ms, { follow = true } = {}) {
    if (!this.#words) return;
    const word = this.#words.at(ms);
    if (word === this.#spoken) return;
    this.#spoken = word;
    const [range] = word === undefined ? [] : this.#ranges(word, word);
    this.#set("spoken", range ? [range] : []);
    if (range && follow && this.#following) this.#keepInSight(range);
  }

  /** Follows again what is said, from where it is now. */
  follow() {
    this.#following = true;
    this.followButton.hidden = true;
    if (this.#spoken !== undefined) this.#keepInSight(this.#ranges(this.#spoken, this.#spoken)[0], { always: true });
  }

  /** Brings what is said at `ms` into sight, and follows from there. */
  reveal(ms) {
    if (!this.#words?.list.length) return;
    this.#following = true;
    this.followButton.hidden = true;
    const word = this.#words.from(ms) ?? this.#words.at(ms);
    if (word !== undefined) this.#keepInSight(this.#ranges(word, word)[0]);
  }

  end() {
    this.#ending.abort();
    this.#observer?.disconnect();
    cancelAnimationFrame(this.#painting);
    for (const name of MARKS) globalThis.CSS?.highlights?.delete(name);
  }

  // ---- marks

  #mark() {
    this.#observer?.disconnect();
    this.#near.clear();
    this.#spoken = undefined;
    if (!globalThis.CSS?.highlights) return;
    MARKS.forEach((name, priority) => {
      const mark = new Highlight();
      mark.priority = priority;
      CSS.highlights.set(name, mark);
      this.#marks.set(name, mark);
    });
    this.#observer = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          this.#near[isIntersecting ? "add" : "delete"](Number(target.getAttribute("data-paragraph")));
        }
        this.#paint();
      },
      { rootMargin: NEAR },
    );
    for (const { place } of this.#paragraphs) this.#observer.observe(place);
    this.#searchFor(this.search.value, { go: false });
  }

  #set(name, ranges) {
    const mark = this.#marks.get(name);
    if (!mark || (!mark.size && !ranges.length)) return;
    mark.clear();
    for (const range of ranges) mark.add(range);
  }

  #paint() {
    cancelAnimationFrame(this.#painting);
    this.#painting = requestAnimationFrame(() => this.#paintNow(this.#near));
  }

  #paintNow(near) {
    if (!this.#words) return;
    const marks = { phrases: [], phrase: [], moment: [], found: [], "found-here": [] };
    for (const at of near) {
      const paragraph = this.#paragraphs[at];
      const [from, to] = [paragraph.start, this.#words.list[paragraph.last].start];
      for (const highlight of this.#moments.highlights) {
        const moments = this.#moments.of(highlight);
        for (let next = this.#moments.place(from - 1, highlight); moments[next]?.start <= to; next += 1) {
          const said = this.#words.said(moments[next]);
          if (!said) continue;
          const chosen = moments[next].start === this.#moment?.start && highlight === this.#moment.highlight;
          const name = chosen ? "moment" : highlight === this.#chosen ? "phrase" : "phrases";
          marks[name].push(...this.#ranges(said.first, said.last));
        }
      }
      for (let next = this.#firstFoundIn(paragraph); this.#found[next]?.first <= paragraph.last; next += 1) {
        const { first, last, from: letter, to: end } = this.#found[next];
        marks[next === this.#foundHere ? "found-here" : "found"].push(...this.#ranges(first, last, letter, end));
      }
    }
    for (const [name, ranges] of Object.entries(marks)) this.#set(name, ranges);
  }

  #offsets(paragraph) {
    if (!paragraph.offsets) {
      let offset = 0;
      paragraph.offsets = paragraph.texts.map((text) => {
        offset += text.length + 1;
        return offset - text.length - 1;
      });
    }
    return paragraph.offsets;
  }

  /** The letters of some words, a range for each paragraph; `letter` and `end` count in the first and the last word. */
  #ranges(first, last, letter, end) {
    const ranges = [];
    for (let at = this.#words.paragraphOf(first); this.#paragraphs[at]?.first <= last; at += 1) {
      const paragraph = this.#paragraphs[at];
      const offsets = this.#offsets(paragraph);
      const place = (word) => offsets[word - paragraph.first];
      const range = document.createRange();
      const [one, other] = [Math.max(first, paragraph.first), Math.min(last, paragraph.last)];
      const [skip] = letter === undefined || one !== first ? [0] : this.#words.letters(first, letter, Infinity);
      const [, stop] =
        end === undefined || other !== last
          ? [0, paragraph.texts[other - paragraph.first].length]
          : this.#words.letters(last, 0, end);
      range.setStart(paragraph.text, place(one) + skip);
      range.setEnd(paragraph.text, place(other) + stop);
      ranges.push(range);
    }
    return ranges;
  }

  // ---- search

  #searchFor(query, { go = true } = {}) {
    if (!this.#words) return;
    this.#found = this.#words.find(query);
    this.#foundHere = -1;
    this.matches.textContent = query.trim()
      ? this.#found.length
        ? `0 / ${number(this.#found.length)}`
        : "No match"
      : "";
    if (go && this.#found.length) this.#goToMatch(1);
    this.#paint();
  }

  #goToMatch(by) {
    const count = this.#found.length;
    if (!count) return;
    this.#foundHere = (this.#foundHere + by + count) % count;
    this.matches.textContent = `${number(this.#foundHere + 1)} / ${number(count)}`;
    this.#stopFollowing();
    const { first, last } = this.#found[this.#foundHere];
    this.#keepInSight(this.#ranges(first, last)[0]);
    this.#paint();
  }

  #searchKey(event) {
    if (event.key === "Enter") {
      event.preventDefault();
      this.#goToMatch(event.shiftKey ? -1 : 1);
    } else if (event.key === "Escape") {
      this.search.value = "";
      this.#searchFor("");
      this.search.blur();
    }
  }

  #firstFoundIn(paragraph) {
    let [low, high] = [0, this.#found.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#found[middle].first < paragraph.first) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // ---- pointer, keys, scrolling

  #listen() {
    const { signal } = this.#ending;
    this.body.addEventListener("click", (event) => {
      const at = event.target.closest(".paragraph")?.dataset.paragraph;
      if (at === undefined) return;
      if (event.target.closest(".time")) this.#go(this.#paragraphs[at].start);
      else if (getSelection().isCollapsed) {
        const word = this.#wordUnder(event);
        if (word !== undefined) this.#go(this.#words.list[word].start);
      }
    });
    this.body.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "mouse") return;
      const word = event.buttons ? undefined : this.#wordUnder(event);
      this.#set("pointed", word === undefined ? [] : this.#ranges(word, word));
      this.body.classList.toggle("on-word", word !== undefined);
    });
    this.body.addEventListener("pointerleave", () => this.#set("pointed", []));
    // One stop for the Tab key among hundreds of paragraphs; the arrows go on from there.
    this.body.addEventListener("keydown", (event) => {
      const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      const time = step && event.target.closest(".time");
      const next =
        time && this.#paragraphs[Number(time.parentElement.dataset.paragraph) + step]?.place.querySelector(".time");
      if (!next) return;
      event.preventDefault();
      this.#stopFollowing();
      next.focus();
    });
    this.body.addEventListener("focusin", (event) => {
      if (!event.target.matches(".time")) return;
      for (const time of this.body.querySelectorAll('.time[tabindex="0"]')) time.tabIndex = -1;
      event.target.tabIndex = 0;
    });
    const passive = { signal, passive: true };
    const elsewhere = (event) => {
      const list = within(event, ".phrase-panel");
      return within(event, ".dock, dialog") || (list && list.scrollHeight > list.clientHeight);
    };
    addEventListener("wheel", (event) => event.ctrlKey || elsewhere(event) || this.#stopFollowing(), passive);
    addEventListener("touchmove", (event) => elsewhere(event) || this.#stopFollowing(), passive);
    document.addEventListener(
      "selectionchange",
      () => {
        const selection = getSelection();
        if (!selection.isCollapsed && this.body.contains(selection.anchorNode)) this.#stopFollowing();
      },
      { signal },
    );
    addEventListener(
      "pointerdown",
      (event) => {
        if (event.clientX >= document.documentElement.clientWidth) this.#stopFollowing(); // the scroll bar
      },
      { signal },
    );
    addEventListener(
      "keydown",
      (event) => {
        const scrolls = ["PageUp", "PageDown", "Home", "End", "ArrowUp", "ArrowDown"].includes(event.key);
        if (scrolls && !within(event, "input, select, textarea, [role=slider], .time")) this.#stopFollowing();
      },
      { signal },
    );
    addEventListener("beforeprint", () => this.#paintNow(this.#paragraphs.keys()), { signal });
    addEventListener("afterprint", () => this.#paint(), { signal });
  }

  #go(ms) {
    this.#following = true;
    this.followButton.hidden = true;
    this.#seek(ms);
  }

  #stopFollowing() {
    if (!this.#following || !this.#words?.list.length) return;
    this.#following = false;
    this.followButton.hidden = false;
    announce("The transcript stays where it is. Follow goes on.");
  }

  /** The word at the pointer; none beside the text. */
  #wordUnder({ clientX, clientY }) {
    const caret = document.caretPositionFromPoint?.(clientX, clientY);
    const old = caret ? undefined : document.caretRangeFromPoint?.(clientX, clientY);
    const [node, offset] = caret ? [caret.offsetNode, caret.offset] : [old?.startContainer, old?.startOffset];
    const at = node?.parentElement?.closest(".paragraph")?.getAttribute("data-paragraph");
    const paragraph = this.#paragraphs[at];
    if (paragraph?.text !== node) return undefined;
    const offsets = this.#offsets(paragraph);
    let word = offsets.findLastIndex((start) => start <= offset);
    // The caret stands between two letters: at a word's first letter the pointer may be on the one before.
    for (; word >= 0 && word >= offsets.findLastIndex((start) => start <= offset) - 1; word -= 1) {
      const [range] = this.#ranges(paragraph.first + word, paragraph.first + word);
      const hit = [...range.getClientRects()].some(
        (box) =>
          clientX >= box.left - 2 && clientX <= box.right + 2 && clientY >= box.top - 3 && clientY <= box.bottom + 3,
      );
      if (hit) return paragraph.first + word;
    }
    return undefined;
  }

  /** Scrolls where the range is not in the free part of the window; to its upper third. */
  #keepInSight(range, { always = false, again = 2 } = {}) {
    const box = range.getBoundingClientRect();
    const top = this.bar.getBoundingClientRect().height + 16;
    const bottom = (document.querySelector(".dock:not([hidden])")?.getBoundingClientRect().top ?? innerHeight) - 48;
    if (!always && box.top >= top && box.bottom <= bottom) return;
    const by = box.top - top - (bottom - top) * 0.25;
    const far = Math.abs(by) > innerHeight * 1.5;
    scrollBy({ top: by, behavior: calm.matches || far ? "instant" : "smooth" });
    // Paragraphs far away have guessed heights: when they are there, look again.
    if (far && again) requestAnimationFrame(() => this.#keepInSight(range, { again: again - 1 }));
  }
}

const within = ({ target }, selector) => target.closest?.(selector);
const number = (count) => count.toLocaleString();

/** AssemblyAI calls people A, B, ... or 1, 2, ...; anything else is a name. */
function speakerName(speaker) {
  return /^([A-Z]{1,2}|\d{1,3})$/.test(speaker) ? `Speaker ${speaker}` : String(speaker);
}
