/** The read API of this origin; /openapi.json says what each path takes and gives. */
import { isNew, signIn, token } from "./session.js";

/** An answer that is no 2xx, or none at all (status 0); the message is for people. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {{body?: any, signal?: AbortSignal}} [options]
 * @param {string} [refused] the token that this was refused with before
 * @returns {Promise<Response>}
 */
async function request(method, path, { body, signal } = {}, refused = undefined) {
  const bearer = (await token({ refused })) ?? (await signIn());
  let answer;
  try {
    answer = await fetch(path, {
      method,
      signal,
      headers: { Authorization: `Bearer ${bearer}`, ...(body && { "Content-Type": "application/json" }) },
      body: body && JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The server does not answer. Is there a connection?");
  }
  if (answer.status === 401) {
    if (!refused) return request(method, path, { body, signal }, bearer);
    if (!isNew()) return signIn();
    // To sign in once more would lead here again.
    throw new ApiError(401, "You are signed in, but the server does not accept it. Please tell whoever runs it.");
  }
  if (!answer.ok) {
    const said = await answer.json().catch(() => ({}));
    throw new ApiError(answer.status, said?.error ?? said?.message ?? `The server answered ${answer.status}.`);
  }
  return answer;
}

/** `parameters` without those that are empty, as a query. */
function withQuery(path, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== "" && value != null);
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

/**
 * @param {string} path
 * @param {Record<string, string | number | null | undefined>} [parameters]
 * @param {AbortSignal} [signal]
 */
export const get = async (path, parameters, signal) =>
  (await request("GET", withQuery(path, parameters), { signal })).json();
export const post = async (path, body) => (await request("POST", path, { body })).json();
export const remove = async (path) => (await request("DELETE", path)).json();

/** The body as a Blob, and the file name that the API gives it. */
export async function file(path, parameters) {
  const answer = await request("GET", withQuery(path, parameters));
  const name = /filename\*=UTF-8''([^;]+)/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1];
  return { blob: await answer.blob(), name: decodeURIComponent(name ?? "export") };
}
