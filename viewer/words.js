/**
 * A transcript's words as one long text: who says which paragraph, which word is said when, and where something is said.
 *
 * Nothing here touches the page. Times are in ms, as AssemblyAI gives them.
 */
const PAUSE_MS = 2_000; // so long a silence begins a paragraph
const ENOUGH = 60; // words, after which the next end of a sentence ends the paragraph
const TOO_MANY = 120; // words, after which it ends anywhere
const EDGES = /^[^\p{L}\p{N}\p{M}\p{S}]+|[^\p{L}\p{N}\p{M}\p{S}]+$/gu;
const SENTENCE_END = /[.!?…。！？؟۔।]["'”’»)\]]*$/u;

/** Without accents, case and the punctuation around it, so that "cafe" finds "Café,". Vowel signs that make a word stay. */
function foldWord(text) {
  return text
    .normalize("NFKD")
    .replace(/[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670]/g, "")
    .toLowerCase()
    .replace(/\u0307/g, "") // what is left of a lower-cased İ
    .replace(EDGES, "");
}

/** The same of several words, with single spaces between them. */
const fold = (text) => text.split(/\s+/u).map(foldWord).filter(Boolean).join(" ");

/** How many of the ascending `values` are at most `limit`. */
export function countUpTo(values, limit) {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The words in reading order. Where channels overlap, AssemblyAI's utterances keep what one person says together. */
function readingOrder({ words, utterances }) {
  const usable = (list) =>
    (Array.isArray(list) ? list : []).filter((word) => typeof word?.text === "string" && Number.isFinite(word.start));
  const all = usable(words);
  const uttered = (Array.isArray(utterances) ? utterances : []).flatMap((utterance) => usable(utterance?.words));
  return uttered.length === all.length ? uttered : all.toSorted((one, other) => one.start - other.start);
}

export class Words {
  constructor(transcript) {
    this.list = readingOrder(transcript);
    this.paragraphs = paragraphsOf(this.list);
    this.firsts = Uint32Array.from(this.paragraphs, (paragraph) => paragraph.first);
    this.end = this.list.reduce((latest, word) => Math.max(latest, word.end || word.start), 0);
    // Reading order and time differ where people talk at once.
    this.byTime = Uint32Array.from(this.list.keys()).sort(
      (one, other) => this.list[one].start - this.list[other].start,
    );
    this.starts = Float64Array.from(this.byTime, (word) => this.list[word].start);
  }

  /** The word that is being said; for a moment after it, it still is. None in a silence. */
  at(ms) {
    const word = this.byTime[countUpTo(this.starts, ms) - 1];
    if (word === undefined || ms > (this.list[word].end || this.list[word].start) + 700) return undefined;
    return word;
  }

  /** The first word that begins at `ms` or later. */
  from(ms) {
    return this.byTime[countUpTo(this.starts, ms - 1)];
  }

  paragraphOf(word) {
    return countUpTo(this.firsts, word) - 1;
  }

  /** The first and last word of what is said from `start` to `end`, by who begins it; none where nobody does. */
  said({ start, end }) {
    const first = this.from(start);
    if (first === undefined || this.list[first].start > end) return undefined;
    let last = first;
    while (last + 1 < this.list.length && this.list[last + 1].speaker === this.list[first].speaker) {
      const next = this.list[last + 1];
      if (next.start < this.list[last].start || (next.end || next.start) > end) break;
      last += 1;
    }
    return { first, last };
  }

  /** A few words around a time, in three parts: before, what is said from `start` to `end`, after. */
  around({ start, end = start }, { before = 5, after = 6 } = {}) {
    const word = this.at(start) ?? this.from(start);
    if (word === undefined) return undefined;
    const { first, last } = this.said({ start, end }) ?? { first: word, last: word };
    const text = (from, to) =>
      this.list
        .slice(Math.max(0, from), to)
        .map(({ text }) => text)
        .join(" ");
    return [text(first - before, first), text(first, last + 1), text(last + 1, last + 1 + after)];
  }

  /**
   * Where `query` is said, in reading order, also across words; whatever its case, accents and punctuation.
   * A match is the words it touches and, within the first and the last, from which letter to which.
   */
  find(query) {
    const sought = fold(query);
    if (!sought) return [];
    this.#index();
    const found = [];
    for (let at = this.folded.indexOf(sought); at !== -1; at = this.folded.indexOf(sought, at + sought.length)) {
      const end = at + sought.length;
      const first = countUpTo(this.offsets, at) - 1;
      const last = countUpTo(this.offsets, end - 1) - 1;
      found.push({ first, last, from: at - this.offsets[first], to: end - this.offsets[last] });
    }
    return found;
  }

  /** Which letters of a word a match means; all where accents make the folded word another length. */
  letters(word, from, to) {
    const { text } = this.list[word];
    const [folded, bare] = [fold(text), text.replace(EDGES, "")];
    if (folded.length !== bare.length) return [0, text.length];
    const lead = text.indexOf(bare);
    return [lead + Math.max(0, from), lead + Math.min(bare.length, to)];
  }

  /** Made when the first search comes. A word that is only punctuation takes no room in it. */
  #index() {
    if (this.offsets) return;
    const folded = this.list.map((word) => fold(word.text));
    this.offsets = new Uint32Array(folded.length);
    let offset = 0;
    folded.forEach((text, word) => {
      this.offsets[word] = offset;
      if (text) offset += text.length + 1;
    });
    this.folded = folded.filter(Boolean).join(" ");
  }
}

/** A paragraph ends where another person speaks, at a long pause, and after a sentence when it is long enough. */
function paragraphsOf(words) {
  const paragraphs = [];
  let first = 0;
  words.forEach((word, at) => {
    const next = words[at + 1];
    const length = at + 1 - first;
    const ends =
      !next ||
      next.speaker !== word.speaker ||
      next.start - (word.end || word.start) > PAUSE_MS ||
      (length >= ENOUGH && SENTENCE_END.test(word.text)) ||
      length >= TOO_MANY;
    if (!ends) return;
    paragraphs.push({ first, last: at, speaker: words[first].speaker ?? null, start: words[first].start });
    first = at + 1;
  });
  return paragraphs;
}
