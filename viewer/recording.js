/**
 * One recording: its phrases, the strip of its moments, its transcript and the player.
 *
 * What is chosen (a phrase, one of its moments) is decided here and told to the parts; no part knows another.
 */
import { askToDelete, askToRetry, isOpen, mayDelete, mayRetry } from "./actions.js";
import { ApiError, get } from "./api.js";
import { go } from "./app.js";
import { announce, element } from "./dom.js";
import { clock, fileName, size, statusWords, visible, when } from "./format.js";
import { Highlights } from "./highlights.js";
import { LEAD_MS, Moments } from "./moments.js";
import { Player, STEP_MS } from "./player.js";
import { addressOf, exportMenu, keysDialog, linkButton } from "./recording-actions.js";
import { Timeline } from "./timeline.js";
import { Transcript } from "./transcript.js";
import { Words } from "./words.js";

const POLL_MS = 3_000;
const LONGEST_POLL_MS = 30_000;

export async function show(place, parameters) {
  const page = new RecordingPage(place, parameters);
  await page.open();
  return () => page.close();
}

class RecordingPage {
  #id;
  #place;
  #parameters;
  #recording;
  #moments = new Moments([]);
  #words;
  #chosen; // a highlight
  #moment; // the one that was asked for last
  #leaving = new AbortController();
  #timer;
  #wait = POLL_MS;
  #addressing;
  #title = document.title;

  constructor(place, parameters) {
    this.#place = place;
    this.#parameters = parameters;
    this.#id = parameters.get("recording");
  }

  async open() {
    try {
      if (!/^[0-9a-f]{32}$/.test(this.#id)) throw new ApiError(404, "");
      this.#recording = await this.#ask();
    } catch (error) {
      if (error.status !== 404) throw error;
      this.#gone("There is no such recording. It was deleted, or the link is wrong.");
      return;
    }
    this.#build();
    this.#update();
    this.#listen();
  }

  close() {
    this.#leaving.abort();
    clearTimeout(this.#timer);
    clearTimeout(this.#addressing);
    this.#player?.end();
    this.#timeline?.end();
    this.#transcript?.end();
    document.title = this.#title;
  }

  #ask() {
    return get(addressOf(this.#id), undefined, this.#leaving.signal);
  }

  // ---- the parts

  #player;
  #timeline;
  #transcript;
  #list;
  #state;
  #heading;
  #notice;
  #actions;
  #facts;
  #summary;
  #silence;
  #abstract;
  #columns;
  #keys;

  #build() {
    const { key } = this.#recording;
    const name = visible(fileName(key));
    document.title = `${name} · Highlights`;
    this.#timeline = new Timeline({ play: (moment) => this.#playMoment(moment), seek: (ms) => this.#goTo(ms) });
    this.#transcript = new Transcript((ms) => this.#goTo(ms));
    this.#list = new Highlights({
      choose: (highlight) => this.#choose(highlight),
      play: (moment) => this.#playMoment(moment),
    });
    this.#player = new Player({
      renew: async () => {
        const { audio_url } = await this.#ask();
        if (!audio_url) throw new Error("Its audio may not be heard: redacted audio was asked for.");
        return audio_url;
      },
      moved: (ms, length) => this.#moved(ms, length),
      step: (by) => this.#step(by),
      strip: this.#timeline.place,
    });
    this.#player.place.hidden = true;
    this.#keys = keysDialog();
    this.#summary = element("p", { class: "summary" });
    this.#actions = element("div", { class: "actions" });
    this.#facts = element("dl", { class: "facts" });
    this.#notice = element("p", { class: "trouble", role: "alert", hidden: true });
    this.#state = element("div", { class: "state", role: "status", hidden: true });
    this.#heading = element("h1", { tabindex: -1 }, element("bdi", {}, name));
    this.#silence = element("p", { class: "note", role: "status", hidden: true });
    this.#abstract = element("section", { class: "abstract", "aria-label": "Summary", hidden: true });
    this.#columns = element("div", { class: "reading" }, this.#list.place, this.#transcript.place);
    this.#place.append(
      element(
        "article",
        { class: "recording" },
        element(
          "header",
          {},
          element("div", { class: "heading" }, element("div", {}, this.#heading, this.#summary), this.#actions),
          element("details", { class: "about" }, element("summary", {}, "Facts"), this.#facts),
        ),
        this.#notice,
        this.#state,
        this.#silence,
        this.#abstract,
        this.#columns,
        this.#player.place,
        this.#keys,
      ),
    );
  }

  /** Shows the recording as it is now; called again whenever its status has changed. */
  #update() {
    const completed = this.#recording.status === "completed";
    this.#tell();
    this.#tellState();
    this.#tellSummary();
    this.#columns.hidden = !completed;
    this.#hear();
    if (completed) this.#fill();
    if (this.#changes()) this.#poll();
  }

  /** Whether something is still to come by itself. */
  #changes() {
    const { status, audio } = this.#recording;
    return status === "completed" ? audio === "withheld" : !mayRetry(this.#recording);
  }

  /** The player; or why nothing can be heard: where redacted audio was asked for, the original is nobody's. */
  #hear() {
    const { status, audio, audio_url } = this.#recording;
    const heard = audio_url && (status === "completed" || status === "failed" || isOpen(this.#recording));
    this.#player.place.hidden = !heard;
    document.body.classList.toggle("with-dock", Boolean(heard));
    if (heard) this.#player.load(audio_url, this.#length());
    this.#silence.hidden = audio !== "withheld" || status === "deleting";
    this.#silence.textContent = mayRetry(this.#recording)
      ? "Its audio may not be heard: redacted audio was asked for, and there is none."
      : "Only its redacted audio may be heard. It is not there yet: AssemblyAI makes it after the transcript.";
  }

  #tellSummary() {
    const { status, summary, summary_status } = this.#recording;
    this.#abstract.hidden = status !== "completed" || !summary_status;
    const lines = (summary ?? "").split("\n").filter((line) => line.trim());
    this.#abstract.replaceChildren(
      element("h2", {}, "Summary"),
      ...lines.map((line) => element("p", {}, element("bdi", {}, line))),
      element("p", { class: "note" }, summaryNote(summary_status, summary)),
    );
  }

  /** What the row and the words say of the length; the media may know better. */
  #length() {
    return Math.max((this.#recording.audio_duration ?? 0) * 1000, this.#words?.end ?? 0);
  }

  #tell() {
    const recording = this.#recording;
    const completed = recording.status === "completed";
    const length = recording.audio_duration && clock(recording.audio_duration * 1000);
    this.#summary.replaceChildren(
      ...[when(recording.created_at), length, language(recording.language_code)]
        .filter(Boolean)
        .flatMap((fact, at) => (at ? [" · ", fact] : [fact])),
    );
    const say = (text) => this.#say(text);
    this.#actions.replaceChildren(
      ...[
        completed && linkButton(() => this.#player.position),
        completed && exportMenu(this.#id, say),
        mayDelete(recording) &&
          element("button", { type: "button", class: "erase", onclick: () => this.#delete() }, "Delete"),
        completed &&
          element(
            "button",
            {
              type: "button",
              class: "quiet keys-button",
              "aria-label": "Keys",
              title: "Keys (?)",
              onclick: () => this.#keys.showModal(),
            },
            "?",
          ),
      ].filter(Boolean),
    );
    const facts = [
      ["Object", `s3://${recording.bucket}/${recording.key}`],
      ["Uploaded", when(recording.created_at)],
      ["Ended", recording.completed_at && when(recording.completed_at)],
      ["Length", length],
      ["Size", recording.size_bytes !== undefined && size(recording.size_bytes)],
      ["Language", language(recording.language_code)],
      ["Model", recording.speech_model],
      ["Confidence", recording.confidence !== undefined && `${Math.round(recording.confidence * 100)} %`],
      ["Audio", recording.audio === "redacted" && "redacted, as AssemblyAI gives it"],
      ...found(recording.insights ?? {}),
      ["Asked for", recording.options?.filter((name) => name !== "auto_highlights").join(", ") || undefined],
      ["Attempts", recording.attempt > 1 && recording.attempt],
      ["Transcript", recording.transcript_id],
      ["Call", recording.call_id && callLink(recording.call_id)],
      ...Object.entries(recording.metadata ?? {}).filter(([name]) => !/^call[_-]id$/.test(name)),
    ];
    this.#facts.replaceChildren(
      ...facts
        .filter(([, fact]) => fact || fact === "")
        .flatMap(([name, fact]) => [
          element("dt", {}, element("bdi", {}, name)),
          element("dd", {}, element("bdi", {}, fact)),
        ]),
    );
  }

  #tellState() {
    const { status, reason } = this.#recording;
    this.#state.hidden = status === "completed";
    this.#state.dataset.status = status;
    const retry = () => element("button", { type: "button", class: "primary", onclick: () => this.#retry() }, "Retry");
    const said = reason && element("p", { class: "reason" }, element("bdi", {}, reason));
    if (status === "failed") {
      this.#state.replaceChildren(
        element("h2", {}, "It failed"),
        said ?? "",
        retry(),
        element(
          "p",
          { class: "note" },
          "AssemblyAI bills a new transcript like any other; the failed one cost nothing.",
        ),
      );
    } else if (status === "ignored") {
      this.#state.replaceChildren(
        element("h2", {}, "It was not transcribed"),
        said ?? "",
        retry(),
        element("p", { class: "note" }, "Nothing was paid for it. If it can be transcribed now, AssemblyAI bills it."),
      );
    } else if (status !== "completed") {
      this.#state.replaceChildren(
        element(
          "h2",
          {},
          element("span", { class: "spinner", "aria-hidden": "true" }),
          " ",
          statusWords(status).meaning,
        ),
        said ?? "",
        element(
          "p",
          { class: "note" },
          status === "deleting"
            ? "This page says when it is gone."
            : "This page shows the highlights as soon as they are there.",
        ),
      );
    }
  }

  #say(text) {
    this.#notice.hidden = false;
    this.#notice.textContent = text;
  }

  #gone(what) {
    this.#place.replaceChildren(
      element(
        "div",
        { class: "message" },
        element("h1", {}, "No such recording"),
        element("p", {}, what),
        element("a", { href: "/" }, "All recordings"),
      ),
    );
  }

  async #delete() {
    if (!(await askToDelete(this.#recording, () => this.#heading)) || this.#leaving.signal.aborted) return;
    announce("The recording is being deleted.");
    go("/");
  }

  async #retry() {
    if (!(await askToRetry(this.#recording, () => this.#heading))) return;
    announce("It is submitted again.");
    if (!this.#leaving.signal.aborted) this.#poll(0);
  }

  // ---- a recording in work

  #poll(after = this.#wait) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), after);
    this.#wait = after ? Math.min(after * 1.3, LONGEST_POLL_MS) : POLL_MS;
  }

  async #look() {
    if (document.hidden) {
      // Nobody sees it: look when somebody does.
      document.addEventListener("visibilitychange", () => this.#poll(0), { once: true, signal: this.#leaving.signal });
      return;
    }
    try {
      const before = this.#recording;
      this.#recording = await this.#ask();
      this.#notice.hidden = true;
      if (before.status === this.#recording.status && before.reason === this.#recording.reason) {
        if (before.audio !== this.#recording.audio) {
          this.#tell();
          this.#hear();
        }
        if (this.#changes()) this.#poll();
        return;
      }
      if (before.status !== this.#recording.status) this.#wait = POLL_MS;
      if (this.#recording.status === "completed") announce("The highlights are there.");
      this.#update();
    } catch (error) {
      if (this.#leaving.signal.aborted) return;
      if (error.status === 404) {
        this.close();
        this.#gone(this.#recording.status === "deleting" ? "It is deleted." : "It was deleted.");
        return;
      }
      this.#say(`${error.message} It is asked again.`);
      this.#poll();
    }
  }

  // ---- a completed recording

  #fill() {
    const { highlights } = this.#recording;
    this.#moments = new Moments(highlights);
    this.#timeline.show({ moments: this.#moments, length: this.#player.length });
    if (highlights.length) this.#list.show(this.#moments);
    else this.#list.say(...whyNoPhrases(this.#recording));
    this.#openAddress();
    this.#read();
  }

  async #read() {
    this.#transcript.say("Opening the transcript …");
    try {
      this.#words = new Words(await this.#fetchTranscript());
    } catch (error) {
      if (this.#leaving.signal.aborted) return;
      this.#transcript.say(
        element("p", {}, error.message),
        element("button", { type: "button", onclick: () => this.#read() }, "Try again"),
      );
      return;
    }
    if (!this.#words.list.length) {
      this.#transcript.say("No words were recognised.");
      return;
    }
    this.#transcript.show(this.#words, this.#moments);
    this.#transcript.at(this.#player.position, { follow: false }); // it opens at its beginning
    this.#transcript.choose(this.#chosen, this.#moment);
    this.#player.know(this.#length());
    this.#timeline.show({ words: this.#words, length: this.#player.length });
    if (this.#moment) this.#transcript.reveal(this.#moment.start);
    else if (this.#player.position) this.#transcript.reveal(this.#player.position);
  }

  /** The file is gzipped, but does not say so: a browser would take it as it is. */
  async #fetchTranscript({ anew = false } = {}) {
    const url = anew ? (await this.#ask()).transcript_url : this.#recording.transcript_url;
    let answer;
    try {
      answer = await fetch(url, { signal: this.#leaving.signal, credentials: "omit" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Error("The transcript could not be read. Is there a connection?");
    }
    if (answer.status === 403 && !anew) return this.#fetchTranscript({ anew: true }); // the URL has ended
    if (answer.status === 404) throw new Error("The transcript is no longer in the results bucket.");
    if (!answer.ok) throw new Error(`The transcript could not be read: the bucket answered ${answer.status}.`);
    return new Response(answer.body.pipeThrough(new DecompressionStream("gzip"))).json();
  }

  #shownLength = 0;

  #moved(ms, length) {
    if (length !== this.#shownLength) {
      this.#shownLength = length;
      this.#timeline.show({ length });
    }
    this.#timeline.at(ms);
    this.#transcript.at(ms);
  }

  /** Chooses a phrase and plays its first moment; or none, and shows all. */
  #choose(highlight) {
    const [first] = highlight ? this.#moments.of(highlight) : [];
    this.#chosen = highlight;
    this.#moment = undefined;
    if (first) this.#playMoment(first);
    else this.#mark();
  }

  #playMoment(moment) {
    this.#moment = moment;
    this.#mark();
    this.#address(moment.start);
    this.#player.seek(moment.start - LEAD_MS);
    this.#player.play();
    this.#transcript.reveal(moment.start);
  }

  #step(by) {
    const next = this.#moments.from(this.#player.position, by, this.#chosen, this.#moment);
    if (next) this.#playMoment(next);
    else announce(by > 0 ? "There is no later moment." : "There is no earlier moment.");
  }

  /** Somebody chose a time that is no phrase's. */
  #goTo(ms) {
    this.#moment = undefined;
    this.#mark();
    this.#address(ms);
    this.#player.seek(ms);
    this.#transcript.reveal(ms);
  }

  #mark() {
    for (const part of [this.#list, this.#timeline, this.#transcript]) part.choose(this.#chosen, this.#moment);
  }

  // ---- the address

  /** /?recording=...&phrase=<folded>#t=<ms>: the phrase is chosen, the moment is gone to. */
  #openAddress() {
    const wanted = this.#parameters.get("phrase");
    this.#chosen = this.#moments.highlights.find((highlight) => highlight.phrase === wanted);
    if (!this.#openMoment()) this.#mark();
  }

  /** Goes to the moment in the address; tells whether there is one. */
  #openMoment() {
    const at = /^#t=(\d{1,12})$/.exec(location.hash);
    if (!at || this.#recording.status !== "completed") return false;
    const ms = Number(at[1]);
    const moment = this.#moments.startingAt(ms, this.#chosen) ?? this.#moments.startingAt(ms);
    if (moment) {
      this.#chosen ??= moment.highlight;
      this.#playMoment(moment);
    } else {
      this.#goTo(ms);
      this.#player.play();
    }
    return true;
  }

  /** The address follows what was chosen; not at once, since a browser refuses many changes in a row. */
  #address(ms) {
    clearTimeout(this.#addressing);
    this.#addressing = setTimeout(() => history.replaceState(history.state, "", `#t=${Math.round(ms)}`), 200);
  }

  // ---- keys

  #listen() {
    const { signal } = this.#leaving;
    addEventListener("keydown", (event) => this.#key(event), { signal });
    addEventListener("hashchange", () => this.#openMoment(), { signal });
    const dock = new ResizeObserver(() =>
      document.documentElement.style.setProperty("--dock", `${this.#player.place.offsetHeight}px`),
    );
    dock.observe(this.#player.place);
    signal.addEventListener("abort", () => {
      dock.disconnect();
      document.body.classList.remove("with-dock");
    });
  }

  #key(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    const typing = event.target.closest?.("input:not([type=range]), textarea, select, [contenteditable]");
    if (typing) return;
    const pressable = event.target.closest?.("button, a[href], summary");
    const { key } = event;
    const completed = this.#recording.status === "completed";
    if (key === " " && !pressable && !this.#player.place.hidden) this.#player.toggle();
    else if (key === "ArrowLeft" && !this.#player.place.hidden) this.#player.skip(-STEP_MS);
    else if (key === "ArrowRight" && !this.#player.place.hidden) this.#player.skip(STEP_MS);
    else if (key === "n" && completed) this.#step(1);
    else if (key === "p" && completed) this.#step(-1);
    else if (key === "/" && !this.#transcript.bar.hidden && completed) this.#transcript.search.focus();
    else if (key === "?") this.#keys.showModal();
    else if (key === "Escape" && this.#chosen) this.#choose();
    else return;
    event.preventDefault();
  }
}

/** Why a completed recording has no phrases; the transcript is there in every case. */
function whyNoPhrases({ highlights_status, language_code }) {
  const spoken = language(language_code) ?? "another language";
  return [
    {
      empty: "No phrase stands out in what is said.",
      unavailable: "AssemblyAI’s key phrase model failed for this recording. The transcript is there.",
      missing: "AssemblyAI gave no key phrases for this recording. The transcript is there.",
      language_not_supported: `Key phrases exist for English only, and this recording is in ${spoken}. The transcript is there.`,
    }[highlights_status] ?? "No phrases were found.",
  ];
}

/** What stands below a summary, or in place of one. */
function summaryNote(status, summary = "") {
  if (status === "unavailable") return "AssemblyAI could not make the summary that was asked for.";
  if (status !== "success") return "AssemblyAI gave no summary, though one was asked for.";
  return `As AssemblyAI gives it.${summary.endsWith("…") ? " The exports as Markdown and JSON have all of it." : ""}`;
}

/** What else was found, as facts. */
function found(insights) {
  const tally = (counts = {}) =>
    Object.entries(counts)
      .map(([label, count]) => `${count.toLocaleString()} ${label.toLowerCase().replaceAll("_", " ")}`)
      .join(", ");
  const labels = (names = []) => names.map((name) => name.replaceAll(">", " › ").replaceAll("_", " ")).join(", ");
  return [
    ["Speakers", insights.speakers],
    ["Channels", insights.channels],
    ["Sentiment", tally(insights.sentiments)],
    ["Entities", tally(insights.entities)],
    ["Topics", labels(insights.topics)],
    ["Content safety", labels(insights.content_safety)],
    ["Chapters", insights.chapters],
    ["Action items", insights.action_items],
    ["Redacted", insights.redact_pii && "what identifies people is left out of the text"],
  ].filter(([, fact]) => fact);
}

function callLink(callId) {
  return element(
    "a",
    { href: `/?${new URLSearchParams({ call: callId })}`, title: "All recordings of this call" },
    callId,
  );
}

/** "en_us" as "American English". */
function language(code) {
  if (!code) return undefined;
  try {
    return new Intl.DisplayNames("en", { type: "language" }).of(code.replace("_", "-"));
  } catch {
    return code;
  }
}
