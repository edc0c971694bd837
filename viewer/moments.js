/**
 * The moments at which the phrases of a recording are said, and which of them comes next.
 *
 * Nothing here touches the page.
 */
import { countUpTo } from "./words.js";

export const LEAD_MS = 1_000; // playing begins so long before the word
const SINCE_MS = 2_000; // so long after it, "previous" still means the one before

/** All moments of the phrases in order; where several phrases begin at one time, that of the highest rank. */
function merged(highlights) {
  const moments = new Map();
  for (const highlight of highlights) {
    for (const { start, end } of highlight.timestamps) {
      if (!moments.has(start)) moments.set(start, { start, end, highlight });
    }
  }
  return [...moments.values()].sort((one, other) => one.start - other.start);
}

export class Moments {
  #all;
  #of = new Map();

  constructor(highlights) {
    this.highlights = highlights;
    this.#all = merged(highlights);
  }

  /** Those of one phrase, or of all where none is given. */
  of(highlight) {
    if (!highlight) return this.#all;
    if (!this.#of.has(highlight)) this.#of.set(highlight, merged([highlight]));
    return this.#of.get(highlight);
  }

  /** The phrase's moment that begins at `ms`; of the highest rank where no phrase is given. */
  startingAt(ms, highlight) {
    const moments = this.of(highlight);
    const moment = moments[this.#upTo(moments, ms) - 1];
    return moment?.start === ms ? moment : undefined;
  }

  /** How many of the phrase's moments have begun: the place of the last of them, counted from 1. */
  place(ms, highlight) {
    return this.#upTo(this.of(highlight), ms);
  }

  /**
   * The moment `step` after (1) or before (-1) where the player is, or the one chosen last while it is being heard:
   * playing begins before a moment, so the player alone would name it again and again.
   */
  from(ms, step, highlight, chosen) {
    const moments = this.of(highlight);
    const heard = chosen && ms >= chosen.start - LEAD_MS - 50 && ms <= chosen.start + SINCE_MS;
    const here = heard ? chosen.start : ms;
    const place = step > 0 ? this.#upTo(moments, here) : this.#upTo(moments, here - 1) - 1;
    return moments[place];
  }

  #starts = new WeakMap();

  #upTo(moments, ms) {
    if (!this.#starts.has(moments))
      this.#starts.set(
        moments,
        Float64Array.from(moments, (moment) => moment.start),
      );
    return countUpTo(this.#starts.get(moments), ms);
  }
}
