import { svg } from "./dom.js";

const BARS = 30; // more would be thinner than a line
const WIDTH = 96;
const HEIGHT = 22;

/**
 * Bars for how often something was said on each day, with the same in words.
 *
 * @param {number[]} counts one for each day
 * @param {string} first the first day
 */
export function trend(counts, first) {
  const bars = summed(counts);
  const highest = Math.max(1, ...bars);
  const step = WIDTH / bars.length;
  return svg(
    "svg",
    {
      class: "trend",
      role: "img",
      "aria-label": inWords(counts, first),
      width: WIDTH,
      height: HEIGHT,
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    },
    bars.map((count, index) => {
      const high = count ? Math.max(2, (count / highest) * HEIGHT) : 1;
      return svg("rect", {
        class: count ? "some" : "none",
        x: (index * step).toFixed(2),
        y: (HEIGHT - high).toFixed(2),
        width: Math.max(1, step - 1).toFixed(2),
        height: high.toFixed(2),
      });
    }),
  );
}

/** Some days in a bar where there are many; the last bar ends with the last day. */
function summed(counts) {
  const days = Math.ceil(counts.length / BARS);
  const bars = [];
  for (let end = counts.length; end > 0; end -= days) {
    bars.unshift(counts.slice(Math.max(0, end - days), end).reduce((sum, count) => sum + count, 0));
  }
  return bars;
}

function inWords(counts, first) {
  const total = (some) => some.reduce((sum, count) => sum + count, 0);
  const middle = Math.floor(counts.length / 2);
  const [before, after] = [total(counts.slice(0, middle)), total(counts.slice(-middle))];
  const way = after > before * 1.2 ? "rising" : before > after * 1.2 ? "falling" : "steady";
  const most = counts.indexOf(Math.max(...counts));
  const day = new Date(Date.parse(first) + most * 86_400_000);
  const named = day.toLocaleDateString(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
  return `Trend ${way}; most on ${named}: ${counts[most]}`;
}
