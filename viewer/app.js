/**
 * Which page to show: / recordings, /?view=phrases phrases, /?recording=<id>#t=<ms> one recording.
 *
 * A page is a module with `show(place, parameters)`: it fills `place` and returns a function that ends what it started.
 */
import { element } from "./dom.js";
import { comeBack, signIn, signOut, token, userName } from "./session.js";

const main = document.getElementById("main");
let leave = () => {};
let turn = 0;

async function route({ focus = true } = {}) {
  const parameters = new URLSearchParams(location.search);
  const page = parameters.has("recording") ? "recording" : parameters.get("view") === "phrases" ? "phrases" : "recordings";
  const mine = ++turn;
  leave();
  leave = () => {};
  main.replaceChildren();
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.page === page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const { show } = await import(`./${page}.js`);
  if (mine !== turn) return;
  const left = await show(main, parameters);
  if (mine === turn) leave = left ?? leave;
  else left?.(); // another page was asked for in the meantime
  if (focus) main.focus();
}

/** Goes to another page without loading everything again. */
export function go(href) {
  history.pushState(null, "", href);
  return guarded(route);
}

function failed(error) {
  main.replaceChildren(
    element("div", { class: "message", role: "alert" },
      element("h1", {}, "That did not work"),
      element("p", {}, error.message),
      element("button", { onclick: () => location.reload() }, "Try again"),
      " ",
      element("button", { onclick: signIn }, "Sign in again")),
  );
}

const guarded = (what) => what().catch(failed);

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  const plain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
  if (!link || !plain || link.origin !== location.origin || link.download || link.target) return;
  if (link.pathname !== "/" || (link.search === location.search && link.hash)) return;
  event.preventDefault();
  go(link.href);
});
addEventListener("popstate", (event) => {
  // A change of the fragment alone is the page's own.
  if (event.state !== "moment") guarded(route);
});

guarded(async () => {
  await comeBack();
  if (!(await token())) await signIn();
  document.getElementById("user").replaceChildren(
    element("span", {}, userName()), " ", element("button", { class: "quiet", onclick: signOut }, "Sign out"));
  await route({ focus: false });
});
