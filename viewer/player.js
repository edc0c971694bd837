/**
 * The player at the bottom of the window.
 *
 * One <video> plays sound and pictures alike; it is seen only where there are pictures. The audio's URL ends after an
 * hour: when the media fails, it asks for a new one and goes on where it was.
 */
import { element } from "./dom.js";
import { clock } from "./format.js";
import { icon } from "./icons.js";

export const STEP_MS = 5_000;
const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];
const SPEED = "speed"; // in localStorage: who likes 1.5 likes it in every recording
const AGAIN_MS = 60_000; // a file that fails this soon after it got a new URL is not to be played

export class Player {
  #renewedAt = -Infinity;
  #wanted; // where to be as soon as the media can; ms
  #wasPlaying = false;
  #known = 0; // how long the row says it is, ms
  #frame = 0;
  #shownSecond;
  #renew;
  #moved;

  /**
   * `renew()` gives a new URL. `moved(ms)` is called whenever the position has changed, `step(by)` for the buttons of
   * the moment before and after. `strip` goes above the seek bar, which has the same width.
   */
  constructor({ renew, moved, step, strip }) {
    this.#renew = renew;
    this.#moved = moved;
    this.media = element("video", { preload: "metadata", playsinline: true, tabindex: -1, "aria-hidden": "true" });
    this.picture = element(
      "button",
      {
        type: "button",
        class: "picture",
        hidden: true,
        "aria-label": "Larger picture",
        "aria-pressed": "false",
        onclick: () => this.#enlarge(),
      },
      this.media,
    );
    this.seekBar = element("input", {
      type: "range",
      class: "seek",
      "aria-label": "Position",
      min: 0,
      max: 0,
      step: 0.01,
      value: 0,
      oninput: () => this.seek(this.seekBar.valueAsNumber * 1000),
    });
    this.clock = element("span", { class: "clock", role: "timer", "aria-label": "Time" }, "0:00");
    this.playButton = this.#button("Play", "play", () => this.toggle(), "play");
    this.speed = element(
      "select",
      { "aria-label": "Speed", title: "Speed", onchange: () => this.#setSpeed() },
      SPEEDS.map((speed) => element("option", { value: speed }, `${speed}×`)),
    );
    this.speed.value = localStorage.getItem(SPEED) ?? "1";
    if (!this.speed.value) this.speed.value = "1";
    this.trouble = element("p", { class: "trouble", role: "alert", hidden: true });
    this.place = element(
      "section",
      { class: "dock", "aria-label": "Player" },
      this.picture,
      strip,
      this.seekBar,
      element(
        "div",
        { class: "player-controls" },
        this.clock,
        element(
          "div",
          { class: "buttons" },
          this.#button("Previous moment", "previous", () => step(-1)),
          this.#button("Back 5 seconds", "back", () => this.skip(-STEP_MS)),
          this.playButton,
          this.#button("Forward 5 seconds", "forward", () => this.skip(STEP_MS)),
          this.#button("Next moment", "next", () => step(1)),
        ),
        element("div", { class: "right" }, this.speed),
      ),
      this.trouble,
    );
    this.#listen();
  }

  /** Where it is, in ms. */
  get position() {
    return this.#wanted ?? this.media.currentTime * 1000;
  }

  /** How long it is, in ms: what the media says, or the row where the media cannot tell. */
  get length() {
    const said = this.media.duration * 1000;
    return Number.isFinite(said) && said > 0 ? said : this.#known;
  }

  get playing() {
    return !this.media.paused && !this.media.error;
  }

  /** `length`: what is known of it before the media has told, in ms. */
  load(url, length) {
    this.know(length);
    if (this.media.src) return;
    this.media.src = url;
  }

  know(length) {
    this.#known = length;
    this.#show();
  }

  seek(ms) {
    const to = Math.max(0, this.length ? Math.min(ms, this.length) : ms);
    this.#wanted = to;
    if (this.media.readyState > 0) this.media.currentTime = to / 1000;
    this.#show();
  }

  skip(ms) {
    this.seek(this.position + ms);
  }

  /** A browser may forbid it until somebody has touched the page; then it stays where it is, ready. */
  play() {
    if (!this.media.src) return undefined; // nothing may be heard
    this.#wasPlaying = true;
    return this.media.play().catch((error) => {
      if (error.name === "NotAllowedError") this.#wasPlaying = false;
    });
  }

  toggle() {
    if (this.playing) this.media.pause();
    else if (!this.media.error) this.play();
    else {
      this.#wasPlaying = true;
      this.#again();
    }
  }

  end() {
    cancelAnimationFrame(this.#frame);
    this.ended = true;
    this.media.pause();
    this.media.removeAttribute("src");
    this.media.load(); // lets go of the connection
    this.place.remove();
  }

  #button(label, picture, onclick, look = "quiet icon") {
    return element(
      "button",
      { type: "button", class: look, "aria-label": label, title: label, onclick },
      icon(picture),
    );
  }

  #listen() {
    const on = (names, what) => names.split(" ").forEach((name) => this.media.addEventListener(name, what));
    on("loadedmetadata", () => {
      this.trouble.hidden = true;
      this.#setSpeed();
      this.picture.hidden = !this.media.videoWidth;
      if (this.#wanted !== undefined) this.media.currentTime = this.#wanted / 1000;
      if (this.#wasPlaying) this.play();
      this.#show();
    });
    on("seeked", () => {
      if (!this.media.seeking) this.#wanted = undefined;
      this.#show();
    });
    on("timeupdate durationchange", () => this.#show());
    on("play pause ended", () => {
      if (!this.media.error) this.#wasPlaying = this.playing;
      this.#showPlaying();
    });
    on("error", () => this.#failed());
  }

  #showPlaying() {
    const label = this.playing ? "Pause" : "Play";
    this.playButton.setAttribute("aria-label", label);
    this.playButton.title = label;
    this.playButton.replaceChildren(icon(this.playing ? "pause" : "play"));
    cancelAnimationFrame(this.#frame);
    if (this.playing) this.#frame = requestAnimationFrame(() => this.#run());
  }

  /** `timeupdate` comes four times a second, which is too seldom to follow words. */
  #run() {
    this.#show();
    if (this.playing) this.#frame = requestAnimationFrame(() => this.#run());
  }

  #show() {
    if (this.ended) return;
    const [at, length] = [this.position, this.length];
    this.#moved(at, length);
    this.seekBar.max = length / 1000;
    this.seekBar.value = at / 1000;
    this.seekBar.style.setProperty("--played", length ? Math.min(1, at / length) : 0);
    const shown = `${clock(at)} / ${clock(length)}`;
    if (shown === this.#shownSecond) return;
    this.#shownSecond = shown;
    this.clock.replaceChildren(element("b", {}, clock(at)), element("span", {}, ` / ${clock(length)}`));
    this.seekBar.setAttribute("aria-valuetext", `${clock(at)} of ${clock(length)}`);
  }

  #setSpeed() {
    this.media.defaultPlaybackRate = this.media.playbackRate = Number(this.speed.value);
    localStorage.setItem(SPEED, this.speed.value);
  }

  #enlarge() {
    const large = this.picture.classList.toggle("large");
    this.picture.setAttribute("aria-pressed", large);
  }

  async #failed() {
    if (this.ended || !this.media.getAttribute("src")) return;
    const lost = this.media.error?.code === MediaError.MEDIA_ERR_NETWORK;
    this.#wanted = this.position;
    if (performance.now() - this.#renewedAt < AGAIN_MS) {
      this.#say(
        lost
          ? "The audio stopped coming. Is there a connection?"
          : "This browser cannot play the file: it does not know the format, or the file is no longer there.",
      );
      return;
    }
    await this.#again();
  }

  async #again() {
    this.#renewedAt = performance.now();
    try {
      const url = await this.#renew();
      if (this.ended) return;
      this.media.src = url;
    } catch (error) {
      if (!this.ended && error.name !== "AbortError") this.#say(error.message);
    }
  }

  #say(what) {
    this.#wasPlaying = false;
    this.#showPlaying();
    this.trouble.hidden = false;
    this.trouble.replaceChildren(
      element("span", {}, what),
      " ",
      element("button", { type: "button", onclick: () => this.#again() }, "Try again"),
      " ",
      element(
        "a",
        { href: this.media.src, target: "_blank", rel: "noopener noreferrer", download: "" },
        "Download the file",
      ),
    );
  }
}
