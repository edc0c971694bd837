/**
 * The recording as a strip: who speaks when, and a pin for every moment of a phrase, all from the timestamps.
 *
 * It is a canvas: 5,000 pins are as quick as five. With the keyboard it is a slider from moment to moment.
 */
import { element } from "./dom.js";
import { clock } from "./format.js";

const TICKS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
const REACH = 7; // pixels from a pin that still mean it
const AXIS = 15; // pixels for the times below
const VOICES = 6; // pixels for who speaks

export class Timeline {
  #moments;
  #words;
  #length = 0;
  #width = 0;
  #chosen;
  #moment;
  #position = 0;
  #pointed;
  #drawing = 0;
  #ending = new AbortController();
  #resized;
  #play;

  /** `play(moment)` is called for a pin, `seek(ms)` for a place without one. */
  constructor({ play, seek }) {
    this.#play = play;
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.playhead = element("div", { class: "playhead", "aria-hidden": "true" });
    this.tip = element("div", { class: "tip", hidden: true, "aria-hidden": "true" });
    this.strip = element(
      "div",
      { class: "strip", role: "slider", tabindex: 0, "aria-label": "Moments on the timeline" },
      this.canvas,
      this.playhead,
    );
    this.place = element("div", { class: "timeline" }, this.strip, this.tip);
    const { signal } = this.#ending;
    this.strip.addEventListener("pointermove", (event) => this.#point(this.#under(event)));
    this.strip.addEventListener("pointerleave", () => this.#point());
    this.strip.addEventListener("click", (event) => {
      const { moment, ms } = this.#under(event);
      if (moment) play(moment);
      else seek(ms);
      if (event.pointerType !== "mouse") this.#point();
    });
    this.strip.addEventListener("keydown", (event) => this.#key(event));
    this.strip.addEventListener("focus", () => {
      if (!this.strip.matches(":focus-visible")) return;
      const moments = this.#moments?.of(this.#chosen) ?? [];
      this.#walk(moments[Math.max(0, this.#moments?.place(this.#position, this.#chosen) - 1)]);
    });
    this.strip.addEventListener("blur", () => this.#point());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw(), { signal });
    this.#resized = new ResizeObserver(() => {
      this.#width = this.strip.clientWidth;
      this.at(this.#position);
      this.#draw();
    });
    this.#resized.observe(this.strip);
  }

  show({ moments, words, length }) {
    this.#moments = moments ?? this.#moments;
    this.#words = words ?? this.#words;
    this.#length = length;
    this.#describe();
    this.#draw();
    this.at(this.#position);
  }

  choose(highlight, moment) {
    this.#chosen = highlight;
    this.#moment = moment;
    this.#describe();
    this.#draw();
  }

  at(ms) {
    this.#position = ms;
    this.playhead.style.transform = `translateX(${this.#x(ms)}px)`;
    this.playhead.hidden = !this.#length;
  }

  end() {
    this.#ending.abort();
    this.#resized.disconnect();
    cancelAnimationFrame(this.#drawing);
  }

  #x(ms) {
    return this.#length ? (Math.min(ms, this.#length) / this.#length) * this.#width : 0;
  }

  // ---- what the pointer and the keys mean

  #under(event) {
    const left = this.strip.getBoundingClientRect().left;
    const ms = Math.max(0, Math.min(1, (event.clientX - left) / this.#width)) * this.#length;
    const reach = (REACH / this.#width) * this.#length;
    const moments = this.#moments?.of(this.#chosen) ?? [];
    const after = this.#moments?.place(ms, this.#chosen) ?? 0;
    const [moment] = [moments[after - 1], moments[after]]
      .filter((one) => one && Math.abs(one.start - ms) <= reach)
      .sort((one, other) => Math.abs(one.start - ms) - Math.abs(other.start - ms));
    return { moment, ms };
  }

  #key(event) {
    const moments = this.#moments?.of(this.#chosen) ?? [];
    const here = this.#pointed?.moment ? moments.indexOf(this.#pointed.moment) : -1;
    const to = {
      ArrowRight: here + 1,
      ArrowUp: here + 1,
      ArrowLeft: here - 1,
      ArrowDown: here - 1,
      Home: 0,
      End: moments.length - 1,
    }[event.key];
    if (to !== undefined && moments.length) {
      this.#walk(moments[Math.max(0, Math.min(moments.length - 1, to))]);
    } else if ((event.key === "Enter" || event.key === " ") && this.#pointed?.moment) {
      this.#play(this.#pointed.moment);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  #walk(moment) {
    if (!moment) return;
    const place = this.#moments.place(moment.start, this.#chosen);
    const words = this.#words?.around(moment)?.join(" ") ?? moment.highlight.text;
    this.strip.setAttribute("aria-valuenow", place);
    this.strip.setAttribute(
      "aria-valuetext",
      `${place} of ${this.#moments.of(this.#chosen).length}, ${clock(moment.start)}: ${words}`,
    );
    this.#point({ moment, ms: moment.start });
  }

  #describe() {
    const count = this.#moments?.of(this.#chosen).length ?? 0;
    const place = Math.max(1, this.#moments?.place(this.#position, this.#chosen) ?? 1);
    this.strip.setAttribute(
      "aria-label",
      this.#chosen ? `Moments of “${this.#chosen.text}”` : "Moments on the timeline",
    );
    this.strip.setAttribute("aria-valuemin", count ? 1 : 0);
    this.strip.setAttribute("aria-valuemax", count);
    this.strip.setAttribute("aria-valuenow", count ? Math.min(place, count) : 0);
    this.strip.setAttribute("aria-valuetext", count ? `${place} of ${count}` : "No moments");
    this.strip.tabIndex = count ? 0 : -1;
  }

  /** Shows what is said there. */
  #point(pointed) {
    this.#pointed = pointed;
    this.tip.hidden = !pointed || !this.#length;
    this.strip.classList.toggle("on-pin", Boolean(pointed?.moment));
    if (this.tip.hidden) return;
    const { moment, ms } = pointed;
    const time = moment?.start ?? ms;
    const said = this.#words?.around(moment ?? { start: ms });
    const [before, here, after] = said ?? ["", moment?.highlight.text ?? "", ""];
    this.tip.replaceChildren(
      element("span", { class: "tip-time" }, clock(time)),
      element(
        "bdi",
        { class: "tip-words" },
        before && `… ${before} `,
        moment ? element("mark", {}, here) : here,
        after && ` ${after} …`,
      ),
    );
    const more = moment ? this.#crowd(moment) : 0;
    if (more) this.tip.append(element("span", { class: "tip-more" }, `and ${more.toLocaleString()} more within reach`));
    const half = this.tip.offsetWidth / 2;
    const middle = Math.max(half + 4, Math.min(this.place.clientWidth - half - 4, this.#x(time)));
    this.tip.style.transform = `translateX(${Math.round(middle - half)}px)`;
  }

  /** How many other moments lie on the same few pixels. */
  #crowd(moment) {
    const near = (3 / this.#width) * this.#length;
    return (
      this.#moments.place(moment.start + near, this.#chosen) -
      this.#moments.place(moment.start - near - 1, this.#chosen) -
      1
    );
  }

  // ---- drawing

  #draw() {
    cancelAnimationFrame(this.#drawing);
    this.#drawing = requestAnimationFrame(() => this.#drawNow());
  }

  #drawNow() {
    const [width, height] = [this.#width, this.strip.clientHeight];
    const scale = devicePixelRatio || 1;
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    if (!this.#length || !width) return;
    const style = getComputedStyle(this.strip);
    const ink = (name) => style.getPropertyValue(name).trim();
    const pen = this.canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.font = `11px ${style.fontFamily}`;
    const floor = height - AXIS - VOICES - 3;
    this.#drawTimes(pen, ink, width, height);
    this.#drawVoices(pen, ink, width, floor + 3);
    if (this.#moments) this.#drawPins(pen, ink, width, floor);
  }

  #drawTimes(pen, ink, width, height) {
    const seconds = this.#length / 1000;
    const step = TICKS_S.find((tick) => (tick / seconds) * width >= 84) ?? TICKS_S.at(-1);
    pen.textBaseline = "bottom";
    for (let tick = 0; tick <= seconds; tick += step) {
      const x = Math.round(this.#x(tick * 1000)) + 0.5;
      const text = clock(tick * 1000);
      pen.fillStyle = ink("--line");
      pen.fillRect(x - 0.5, 0, 1, height - AXIS);
      const room = pen.measureText(text).width;
      pen.fillStyle = ink("--soft");
      pen.fillText(text, Math.max(1, Math.min(width - room - 1, x - room / 2)), height);
    }
  }

  /** A band with the colour of who speaks; empty where nobody does. */
  #drawVoices(pen, ink, width, top) {
    pen.fillStyle = ink("--line");
    pen.fillRect(0, top + VOICES / 2 - 0.5, width, 1);
    if (!this.#words?.list.length) return;
    const speakers = [...new Set(this.#words.paragraphs.map((paragraph) => paragraph.speaker))];
    const colours = speakers.map((_, at) => ink(`--speaker-${at % 6}`));
    const each = Math.min(1, width / 400); // breaths shorter than this are no gap
    for (const { first, last, speaker } of this.#words.paragraphs) {
      pen.fillStyle = colours[speakers.indexOf(speaker)];
      let from = this.#x(this.#words.list[first].start);
      let to = from;
      for (let word = first; word <= last; word += 1) {
        const { start, end } = this.#words.list[word];
        const x = this.#x(start);
        if (x - to > each * 3) {
          pen.fillRect(from, top, Math.max(0.75, to - from), VOICES);
          from = x;
        }
        to = Math.max(to, this.#x(end || start));
      }
      pen.fillRect(from, top, Math.max(0.75, to - from), VOICES);
    }
  }

  #drawPins(pen, ink, width, floor) {
    const others = this.#moments.highlights.filter((highlight) => highlight !== this.#chosen);
    const most = Math.max(...others.map((highlight) => highlight.rank ?? 0), 0) || 1;
    const count = others.reduce((sum, highlight) => sum + this.#moments.of(highlight).length, 0);
    pen.fillStyle = ink(this.#chosen ? "--pin-others" : "--pin-all");
    if (count > width / 3) {
      this.#drawBars(
        pen,
        others.flatMap((highlight) => this.#moments.of(highlight)),
        width,
        floor,
      );
    } else {
      // The higher the rank, the higher the pin.
      for (const highlight of others) {
        const tall = (0.35 + 0.65 * ((highlight.rank ?? 0) / most)) * (floor - 10);
        for (const { start } of this.#moments.of(highlight)) pen.fillRect(this.#x(start) - 1, floor - tall, 2, tall);
      }
    }
    if (this.#chosen) this.#drawChosen(pen, ink, width, floor);
    if (this.#moment) {
      const x = this.#x(this.#moment.start);
      pen.fillStyle = ink("--pin");
      pen.fillRect(x - 1.5, 8, 3, floor - 8);
      pen.beginPath();
      pen.arc(x, 8, 6, 0, 2 * Math.PI);
      pen.fill();
      pen.lineWidth = 2;
      pen.strokeStyle = ink("--panel");
      pen.stroke();
    }
  }

  /** A pin with a head for each moment; where they would hide one another, bars as high as they are many. */
  #drawChosen(pen, ink, width, floor) {
    const moments = this.#moments.of(this.#chosen);
    pen.fillStyle = ink("--pin");
    if (moments.length <= width / 7) {
      for (const { start } of moments) {
        const x = this.#x(start);
        pen.fillRect(x - 1, 8, 2, floor - 8);
        pen.beginPath();
        pen.arc(x, 8, 4, 0, 2 * Math.PI);
        pen.fill();
      }
      return;
    }
    this.#drawBars(pen, moments, width, floor);
  }

  #drawBars(pen, moments, width, floor) {
    const bar = 3;
    const counts = new Uint32Array(Math.ceil(width / bar) + 1);
    for (const { start } of moments) counts[Math.floor(this.#x(start) / bar)] += 1;
    const most = counts.reduce((high, count) => Math.max(high, count), 1);
    counts.forEach((count, at) => {
      const tall = (0.15 + 0.85 * (count / most)) * (floor - 6);
      if (count) pen.fillRect(at * bar, floor - tall, bar - 1, tall);
    });
  }
}
