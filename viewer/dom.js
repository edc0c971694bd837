/**
 * Makes an element. Text is always text, never HTML: a phrase or an object key may hold anything.
 * `attributes`: on... take a listener, booleans switch an attribute, the rest is set as it is.
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child != null));
  return made;
}

/** Says something to those who do not see it. */
export function announce(text) {
  document.getElementById("announcements").textContent = text;
}
