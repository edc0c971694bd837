/**
 * Makes an element. Text is always text, never HTML: a phrase or an object key may hold anything.
 * `attributes`: on... take a listener, booleans switch an attribute, the rest is set as it is.
 *
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | number | null | undefined | false | any[])} children
 * @returns {any}
 */
export function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for a part of an SVG picture. Its size is given by attributes: the page's policy has no inline style. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child != null && child !== false));
  return made;
}

/** What stands in the place of something that could not be loaded. */
export function notLoaded(what, error, again) {
  return [
    element(
      "div",
      { role: "alert" },
      element("h2", {}, `The ${what} could not be loaded`),
      element("p", {}, error.message),
    ),
    element("div", { class: "actions" }, element("button", { type: "button", onclick: again }, "Try again")),
  ];
}

/** Says something to those who do not see it. What was said is taken away again, so that the same can be said twice. */
export function announce(text) {
  const said = element("p", {}, text);
  document.getElementById("announcements").append(said);
  setTimeout(() => said.remove(), 10_000);
}
