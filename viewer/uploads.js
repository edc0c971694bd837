/**
 * Files on their way into the bucket. They go on while other pages are looked at: their list stands above every page.
 */
import { post } from "./api.js";
import { announce, element } from "./dom.js";
import { short, size, visible } from "./format.js";

const AT_A_TIME = 3;
const AWAITED_MS = 10 * 60_000; // so long a recording may take to appear after its upload

/** @type {Upload[]} */
let uploads = [];
const listeners = new Set();

const place = document.getElementById("uploads");
const list = element("ul");
const title = element("h2", { id: "uploads-title", tabindex: "-1" }, "Uploads");
place.append(
  element(
    "div",
    { class: "card" },
    element(
      "div",
      { class: "page-head" },
      title,
      element(
        "button",
        { class: "quiet compact", type: "button", onclick: () => removeAll((one) => !one.active) },
        "Clear finished",
      ),
    ),
    list,
  ),
);

class Upload {
  /** @param {File} file */
  constructor(file) {
    this.file = file;
    this.label = short(file.name);
    this.state = "waiting"; // sending, uploaded, failed
    this.sent = 0;
    this.key = "";
    this.bar = element("progress", { max: "1", "aria-label": `Upload of ${this.label}` });
    this.said = element("span", { class: "soft small number" });
    this.buttons = element("span", { class: "actions" });
    this.element = element(
      "li",
      {},
      element("bdi", { class: "name", title: file.name }, visible(file.name)),
      this.said,
      this.buttons,
      this.bar,
    );
    this.draw();
  }

  get active() {
    return this.state === "waiting" || this.state === "sending";
  }

  async send() {
    this.to("sending");
    try {
      if (this.file.size === 0) throw new Error("The file is empty.");
      const permission = await post("/api/uploads", { name: this.file.name, size_bytes: this.file.size });
      if (this.state !== "sending") return; // cancelled
      await this.transfer(permission);
      this.key = permission.key;
      this.until = Date.now() + AWAITED_MS;
      this.to("uploaded");
      announce(`${this.label} is uploaded.`);
      for (const listener of listeners) listener();
    } catch (error) {
      if (this.state !== "sending") return;
      this.reason = error.message;
      this.to("failed");
      announce(`${this.label} could not be uploaded. ${error.message}`);
    }
  }

  transfer({ url, fields }) {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    form.append("file", this.file); // S3 reads no field after it
    const request = new XMLHttpRequest();
    this.request = request;
    return /** @type {Promise<void>} */ (
      new Promise((resolve, reject) => {
        request.upload.addEventListener("progress", ({ loaded, total, lengthComputable }) => {
          if (lengthComputable) this.sent = loaded / total;
          this.draw();
        });
        request.addEventListener("load", () => {
          if (request.status >= 200 && request.status < 300) resolve();
          else reject(new Error(refusal(request)));
        });
        request.addEventListener("error", () => reject(new Error("The connection broke, or the file cannot be read.")));
        request.addEventListener("abort", () => reject(new Error("Cancelled.")));
        request.open("POST", url);
        request.send(form);
      })
    );
  }

  to(state) {
    this.state = state;
    if (state === "sending") this.sent = 0;
    this.draw();
    if (state !== "sending") next();
  }

  draw() {
    const bytes = size(this.file.size);
    this.element.dataset.state = this.state;
    this.bar.hidden = this.state !== "sending";
    this.bar.value = this.sent;
    this.said.textContent = {
      waiting: `${bytes}, waits for the others`,
      sending: `${Math.floor(this.sent * 100)} % of ${bytes}`,
      uploaded: "Uploaded. It is in the list in a moment.",
      failed: `Not uploaded. ${this.reason}`,
    }[this.state];
    if (this.drawn === this.state) return; // buttons stay, and with them the focus
    this.drawn = this.state;
    const held = this.buttons.contains(document.activeElement);
    const button = (words, act) =>
      element(
        "button",
        { class: "quiet compact", type: "button", "aria-label": `${words} ${this.label}`, onclick: act },
        words,
      );
    this.buttons.replaceChildren(
      ...{
        waiting: [button("Cancel", () => this.cancel())],
        sending: [button("Cancel", () => this.cancel())],
        uploaded: [button("Dismiss", () => remove(this))],
        failed: [button("Try again", () => this.again()), button("Dismiss", () => remove(this))],
      }[this.state],
    );
    if (held) this.buttons.querySelector("button").focus();
  }

  cancel() {
    this.state = "cancelled";
    this.request?.abort();
    announce(`The upload of ${this.label} is cancelled.`);
    remove(this);
    next();
  }

  again() {
    this.to("waiting");
  }
}

/** What S3 says in its XML, in a sentence. */
function refusal(request) {
  const said = new DOMParser().parseFromString(request.responseText, "text/xml").querySelector("Message")?.textContent;
  return said ? `S3 refused it: ${said}` : `S3 answered ${request.status}.`;
}

function next() {
  const sending = uploads.filter((one) => one.state === "sending").length;
  for (const one of uploads.filter(({ state }) => state === "waiting").slice(0, AT_A_TIME - sending)) one.send();
}

function remove(upload) {
  removeAll((one) => one === upload);
}

function removeAll(which) {
  const held = place.contains(document.activeElement);
  const gone = uploads.filter(which);
  uploads = uploads.filter((one) => !gone.includes(one));
  for (const one of gone) one.element.remove();
  place.hidden = uploads.length === 0;
  if (held && (place.hidden || !place.contains(document.activeElement)))
    (place.hidden ? document.querySelector("main h1") : title)?.focus();
}

/** Uploads files, a few at a time. */
export function upload(files) {
  const added = [...files].map((file) => new Upload(file));
  if (!added.length) return;
  uploads.push(...added);
  list.append(...added.map((one) => one.element));
  place.hidden = false;
  next();
}

/** Calls back after each upload, until the function that it returns is called. */
export function onUploaded(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Whether something was uploaded whose recording was not seen yet. */
export function awaited() {
  return uploads.some((one) => one.state === "uploaded" && one.until > Date.now());
}

/** Whether this is the key of such an upload. */
export function isAwaited(key) {
  return uploads.some((one) => one.state === "uploaded" && one.key === key);
}

/** These recordings are in the list: their uploads need not be. */
export function arrived(keys) {
  removeAll((one) => one.state === "uploaded" && keys.has(one.key));
}

/** A button that lets the user choose files. */
export function uploadButton(words = "Upload") {
  const input = element("input", {
    type: "file",
    multiple: true,
    accept: "audio/*,video/*",
    hidden: true,
    "aria-label": "Files to upload",
  });
  input.addEventListener("change", () => {
    upload(input.files);
    input.value = ""; // the same file may be chosen again
  });
  return [element("button", { class: "primary", type: "button", onclick: () => input.click() }, words), input];
}

/** Files may be dropped anywhere, folders too. */
export function acceptDrops() {
  const hint = element("div", { id: "drop", hidden: true }, element("p", {}, "Drop to upload"));
  document.body.append(hint);
  const files = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragover", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    hint.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) hint.hidden = true; // out of the window
  });
  addEventListener("drop", async (event) => {
    hint.hidden = true;
    if (!files(event)) return;
    event.preventDefault();
    const dropped = [...event.dataTransfer.items].filter((item) => item.kind === "file");
    const entries = dropped.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile()); // now: later the items are gone
    for (const entry of entries) upload(await filesOf(entry));
  });
}

async function filesOf(entry) {
  if (!entry) return [];
  if (entry instanceof File) return [entry];
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    // a hundred at a time
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found.filter((file) => !file.name.startsWith("."));
    for (const one of some) found.push(...(await filesOf(one)));
  }
}

addEventListener("beforeunload", (event) => {
  if (uploads.some((one) => one.active)) event.preventDefault();
});
