/** 3723000 ms as "1:02:03". */
export function clock(ms) {
  const seconds = Math.floor(ms / 1000);
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const tail = `${String(minutes).padStart(hours ? 2 : 1, "0")}:${String(rest).padStart(2, "0")}`;
  return hours ? `${hours}:${tail}` : tail;
}

/** The last part of an object key: what a person called the file. */
export function fileName(key) {
  return key.split("/").filter(Boolean).at(-1) ?? key;
}

/** An ISO time as people here write it. */
export function when(iso) {
  return new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
