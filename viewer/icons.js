/** Pictures of buttons; their names are the buttons' labels. */
const SHAPES = {
  play: "M8 5v14l11-7z",
  pause: "M7 5h4v14H7zM13 5h4v14h-4z",
  back: "M11 6 3 12l8 6zM20 6l-8 6 8 6z",
  forward: "M13 6l8 6-8 6zM4 6l8 6-8 6z",
  previous: "M6 5h2.5v14H6zM19 5v14L9 12z",
  next: "M15.500 5H18v14h-2.500zM5 5v14l10-7z",
  up: "M12 8l7 7-1.500 1.500L12 11l-5.500 5.500L5 15z",
  down: "M12 16 5 9l1.500-1.500L12 13l5.500-5.500L19 9z",
};
const SVG = "http://www.w3.org/2000/svg";

export function icon(name) {
  const picture = document.createElementNS(SVG, "svg");
  const shape = document.createElementNS(SVG, "path");
  const attributes = { viewBox: "0 0 24 24", width: "24", height: "24", fill: "currentColor", "aria-hidden": "true" };
  for (const [attribute, value] of Object.entries(attributes)) picture.setAttribute(attribute, value);
  shape.setAttribute("d", SHAPES[name]);
  picture.append(shape);
  return picture;
}
