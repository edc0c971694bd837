import { element } from "./dom.js";

export async function show(place) {
  place.append(element("h1", {}, "phrases"));
}
