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

/** What stands before the file's name in an object key; "" where nothing does. */
export function folder(key) {
  return key.slice(0, key.lastIndexOf(fileName(key)));
}

/** A name as it can be seen: one of blanks or invisible characters alone is quoted. */
export function visible(name) {
  return /[\p{L}\p{N}\p{P}\p{S}]/u.test(name) ? name : JSON.stringify(name);
}

/** A name for a sentence or a label: one line, not endless. */
export function short(name, longest = 80) {
  const characters = [...visible(name).replaceAll(/\s+/g, " ")];
  return characters.length > longest ? `${characters.slice(0, longest - 1).join("")}…` : characters.join("");
}

/** An ISO time as people here write it. */
export function when(iso) {
  return new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** 1234567 bytes as "1.2 MB". */
export function size(bytes) {
  const [unit, divisor] = bytes < 1e6 ? ["kB", 1e3] : bytes < 1e9 ? ["MB", 1e6] : ["GB", 1e9];
  return `${(bytes / divisor).toLocaleString(undefined, { maximumFractionDigits: 1 })} ${unit}`;
}

/** "1 recording", "2 recordings". */
export function counted(count, one, many = `${one}s`) {
  return `${count.toLocaleString()} ${count === 1 ? one : many}`;
}

const STATUSES = {
  submitting: ["Submitting", "wait", "It is being handed to AssemblyAI."],
  queued: ["Queued", "wait", "It waits for its turn at AssemblyAI."],
  processing: ["Processing", "wait", "AssemblyAI is transcribing it."],
  completed: ["Completed", "good", ""],
  failed: ["Failed", "bad", ""],
  ignored: ["Ignored", "", ""],
  deleting: ["Deleting", "wait", "Audio, results and AssemblyAI's copy are being deleted."],
};

/** What a status is called, which kind of status it is (class of .status), and what it means where no reason says it. */
export function statusWords(status) {
  const [label, kind, meaning] = STATUSES[status] ?? [status, "", ""];
  return { label, kind, meaning };
}

export const statuses = Object.keys(STATUSES);

/** Why it failed, was ignored or waits. A reason may begin with the whole s3://bucket/key; here its row says that. */
export function reasonOf({ reason = "", bucket, key }) {
  return reason.replaceAll(`s3://${bucket}/${key}`, () => short(fileName(key), 40));
}

/** Why a completed recording has no highlights; "" where it has some. */
export function highlightsWords(status) {
  return (
    {
      empty: "No highlights",
      unavailable: "Highlights unavailable",
      missing: "Highlights unavailable",
      language_not_supported: "Language not supported",
    }[status] ?? ""
  );
}

/** The first of the last so many days (UTC), as the API takes it. */
export function firstDay(days) {
  return new Date(Date.now() - (days - 1) * 86_400_000).toISOString().slice(0, 10);
}
