/** A small player at the foot of the page: plays a moment of a recording, from a second before it. */
import { get } from "./api.js";
import { element } from "./dom.js";
import { clock, fileName, short, visible } from "./format.js";

const BEFORE_MS = 1_000;

export class Dock {
  constructor() {
    this.audio = new Audio();
    this.audio.preload = "auto";
    this.toggle = element("button", { type: "button", class: "primary icon", onclick: () => this.playOrPause() });
    this.link = element("a", { class: "dock-name" });
    this.said = element("bdi", { class: "soft small dock-phrase" });
    this.time = element("span", { class: "number small" });
    this.slider = element("input", { type: "range", min: "0", max: "0", step: "0.1", "aria-label": "Position" });
    this.wrong = element("p", { class: "wrong small", role: "alert" });
    this.element = element(
      "section",
      { id: "dock", "aria-label": "Player", hidden: true },
      this.toggle,
      element("div", { class: "dock-what" }, this.link, this.said),
      element("div", { class: "dock-where" }, this.slider, this.time),
      element(
        "button",
        { type: "button", class: "quiet", "aria-label": "Close the player", onclick: () => this.close() },
        "Close",
      ),
      this.wrong,
      this.audio,
    );
    this.slider.addEventListener("input", () => {
      this.audio.currentTime = Number(this.slider.value);
    });
    for (const name of ["play", "pause", "timeupdate", "seeking", "durationchange", "waiting", "playing", "ended"]) {
      this.audio.addEventListener(name, () => this.draw());
    }
    this.audio.addEventListener("error", () => this.failed());
    document.body.append(this.element);
  }

  /**
   * @param {{recording_id: string, key: string, text: string, start: number}} moment
   * @param {HTMLElement} button which is marked for as long as its moment is the one in the player
   */
  async play(moment, button) {
    this.button?.removeAttribute("aria-current");
    this.button = button;
    button.setAttribute("aria-current", "true");
    const other = this.moment?.recording_id !== moment.recording_id;
    this.moment = moment;
    this.element.hidden = false;
    document.body.classList.add("docked");
    this.wrong.textContent = "";
    const name = fileName(moment.key);
    this.link.replaceChildren(element("bdi", {}, visible(name)));
    this.link.setAttribute("aria-label", `${short(name)}, open the recording here`);
    this.said.textContent = moment.text;
    this.fresh = false;
    if (other) await this.load();
    else this.from(this.start);
  }

  get start() {
    return Math.max(0, this.moment.start - BEFORE_MS) / 1000;
  }

  async load(at = this.start) {
    const { moment } = this;
    this.audio.pause();
    this.audio.removeAttribute("src");
    this.slider.value = "0";
    this.draw();
    try {
      const { audio_url } = await get(`/api/recordings/${moment.recording_id}`);
      if (this.moment?.recording_id !== moment.recording_id || this.ended) return;
      if (!audio_url) throw new Error("Its redacted audio is not there yet, and no other may be heard.");
      this.audio.src = audio_url;
      this.from(at ?? this.start);
    } catch (error) {
      if (this.moment === moment) this.say(error.message);
    }
  }

  from(seconds) {
    this.audio.currentTime = seconds; // before anything is loaded it is where it will begin
    this.audio.play().catch(() => {}); // what is wrong is said by the event; a pause is no error
    this.draw();
  }

  /** The address may be over: a new one is asked for, once. */
  async failed() {
    if (!this.audio.hasAttribute("src")) return;
    if (this.fresh) {
      this.say(
        this.audio.error?.code === MediaError.MEDIA_ERR_NETWORK
          ? "The connection to the audio broke."
          : "The audio cannot be played: it was moved or deleted, or the browser does not know its format.",
      );
      return;
    }
    this.fresh = true;
    await this.load(this.audio.currentTime || this.start);
  }

  say(words) {
    this.wrong.textContent = words;
    this.draw();
  }

  playOrPause() {
    if (!this.audio.paused) this.audio.pause();
    else if (this.audio.error || !this.audio.hasAttribute("src")) {
      this.wrong.textContent = "";
      this.fresh = true;
      this.load();
    } else this.audio.play().catch(() => {});
    this.draw();
  }

  draw() {
    const { audio } = this;
    const playing = !audio.paused && !audio.ended;
    if (this.toggle.dataset.playing !== String(playing)) {
      this.toggle.dataset.playing = String(playing);
      this.toggle.setAttribute("aria-label", playing ? "Pause" : "Play");
    }
    const length = Number.isFinite(audio.duration) ? audio.duration : 0;
    const at = Math.min(audio.currentTime, length || Infinity);
    this.slider.max = String(length);
    this.slider.value = String(at);
    this.slider.setAttribute("aria-valuetext", `${clock(at * 1000)} of ${clock(length * 1000)}`);
    this.time.textContent = `${clock(at * 1000)} / ${length ? clock(length * 1000) : "–:––"}`;
    if (this.moment) this.link.href = `/?recording=${this.moment.recording_id}#t=${Math.floor(at * 1000)}`;
  }

  close() {
    const { button } = this;
    this.audio.pause();
    button?.removeAttribute("aria-current");
    this.moment = this.button = undefined;
    this.audio.removeAttribute("src");
    this.element.hidden = true;
    document.body.classList.remove("docked");
    if (button?.isConnected) button.focus();
    else /** @type {HTMLElement} */ (document.querySelector("main h1"))?.focus();
  }

  end() {
    this.ended = true;
    this.audio.pause();
    this.audio.removeAttribute("src");
    this.audio.load();
    document.body.classList.remove("docked");
    this.element.remove();
  }
}
