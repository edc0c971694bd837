/**
 * Which page to show: / recordings, /?view=phrases phrases, /?recording=<id>#t=<ms> one recording.
 *
 * A page is a module with `show(place, parameters)`: it fills `place` and returns a function that ends what it started,
 * or {leave, update}, where `update(parameters)` takes a new query of the same page.
 */
import { element } from "./dom.js";
import { comeBack, onSignedOut, signIn, signOut, token, userName } from "./session.js";
import { acceptDrops } from "./uploads.js";

const NAMES = { recordings: "Recordings", phrases: "Phrases", recording: "Recording" };

const main = document.getElementById("main");
const scrolled = new Map(); // entry of the history -> how far down it was
let entry = history.state?.entry ?? 0;
let shown = { page: "", search: "", leave() {}, update: undefined };
let turn = 0;

async function route({ focus = true, scroll = 0 } = {}) {
  const parameters = new URLSearchParams(location.search);
  const page = parameters.has("recording")
    ? "recording"
    : parameters.get("view") === "phrases"
      ? "phrases"
      : "recordings";
  const mine = ++turn;
  for (const link of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("nav [data-page]"))) {
    if (link.dataset.page === page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (shown.page === page && shown.update) {
    shown.search = location.search;
    await shown.update(parameters);
    if (scroll) scrollTo(0, scroll);
  } else {
    shown.leave();
    shown = { page, search: location.search, leave() {}, update: undefined };
    main.replaceChildren();
    document.title = `${NAMES[page]} · Highlights`;
    const { show } = await import(`./${page}.js`);
    if (mine !== turn) return;
    const answer = (await show(main, parameters)) ?? (() => {});
    const { leave, update } = typeof answer === "function" ? { leave: answer } : answer;
    if (mine !== turn) {
      leave(); // another page was asked for in the meantime
      return;
    }
    shown.leave = leave;
    shown.update = update;
    scrollTo(0, scroll);
  }
  if (mine !== turn) return;
  // A screen reader goes on from the page's name, unless the page has put the focus somewhere.
  const heading = main.querySelector("h1") ?? main;
  heading.tabIndex = -1;
  if (focus && (document.activeElement === main || !main.contains(document.activeElement)))
    heading.focus({ preventScroll: true });
}

/** Goes to another page without loading everything again. */
export function go(href) {
  if (href !== location.href) {
    scrolled.set(entry, scrollY);
    entry = Date.now();
    history.pushState({ entry }, "", href);
  }
  return guarded(route);
}

/** Writes what a page shows into the address, where that needs no new page and no step back. */
export function rewrite(href) {
  history.replaceState(history.state, "", href);
  shown.search = location.search;
}

function failed(error) {
  main.replaceChildren(
    element(
      "div",
      { class: "message bad", role: "alert" },
      element("h1", {}, "That did not work"),
      element("p", {}, error.message),
      element(
        "div",
        { class: "actions" },
        element("button", { class: "primary", onclick: () => location.reload() }, "Try again"),
        element("button", { onclick: () => guarded(signIn) }, "Sign in again"),
      ),
    ),
  );
}

const guarded = (what) => what().catch(failed);

function signedOut() {
  ++turn;
  shown.leave();
  shown = { page: "", search: "", leave() {}, update: undefined };
  document.getElementById("user").replaceChildren();
  main.replaceChildren(
    element(
      "div",
      { class: "message", role: "alert" },
      element("h1", {}, "You are signed out"),
      element("p", {}, "You signed out in another tab."),
      element("button", { class: "primary", onclick: () => guarded(signIn) }, "Sign in"),
    ),
  );
}

document.addEventListener("click", (event) => {
  const link = /** @type {HTMLAnchorElement} */ (/** @type {Element} */ (event.target).closest?.("a[href]"));
  const plain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
  if (!link || !plain || event.defaultPrevented || link.origin !== location.origin) return;
  if (link.pathname !== "/" || link.target || link.hasAttribute("download")) return;
  if (link.search === location.search && link.hash) return; // a place on this page
  event.preventDefault();
  go(link.href);
});
addEventListener("popstate", (event) => {
  scrolled.set(entry, scrollY);
  entry = event.state?.entry ?? entry;
  // A change of the fragment alone is the page's own.
  if (shown.page && location.search !== shown.search) guarded(() => route({ scroll: scrolled.get(entry) ?? 0 }));
});

addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload(); // back from the sign-in page, to where it was left in the middle of going
});

history.scrollRestoration = "manual";
onSignedOut(signedOut);
guarded(async () => {
  await comeBack();
  if (!(await token())) await signIn();
  document
    .getElementById("user")
    .replaceChildren(
      element("span", { title: userName() }, userName()),
      element("button", { class: "quiet", onclick: () => guarded(signOut) }, "Sign out"),
    );
  acceptDrops();
  await route({ focus: false });
});
