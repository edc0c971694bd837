/**
 * Who is signed in: OAuth 2.0 authorization code with PKCE (RFC 7636) against the user pool's sign-in page.
 *
 * Tokens live in this tab's sessionStorage: they end with the tab, and no other origin reads them. Another tab signs in
 * by itself, without a question while the sign-in page still knows the user; to sign out ends all tabs of this browser.
 */
const TOKENS = "tokens";
const SIGNING_IN = "signing-in";
const EARLY_MS = 60_000; // a token about to end is renewed before it is used
const NEW_MS = 60_000;
const NO_ANSWER = "The sign-in does not answer. Is there a connection?";

const tabs = new BroadcastChannel("session");
let configuration;
let renewal;

function base64url(bytes) {
  return btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));
const redirectUri = () => `${location.origin}/`;
const stored = (name) => JSON.parse(sessionStorage.getItem(name) ?? "null");

async function configured() {
  if (!configuration) {
    const answer = await fetch("/viewer/config.json").catch(() => null);
    if (!answer?.ok) throw new Error("The server does not answer. Is there a connection?");
    configuration = await answer.json();
  }
  return configuration;
}

/**
 * Goes to the sign-in page; it comes back to where we are now.
 *
 * @returns {Promise<never>}
 */
export async function signIn() {
  const { client_id, sign_in_url } = await configured();
  const [state, verifier] = [random(), random()];
  const back = location.pathname + location.search + location.hash;
  sessionStorage.setItem(SIGNING_IN, JSON.stringify({ state, verifier, back }));
  const challenge = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  const query = new URLSearchParams({
    response_type: "code",
    client_id,
    redirect_uri: redirectUri(),
    scope: "openid email",
    state,
    code_challenge: base64url(challenge),
    code_challenge_method: "S256",
  });
  location.assign(`${sign_in_url}/oauth2/authorize?${query}`);
  return new Promise(() => {}); // the page is left
}

/** Takes the code that the sign-in page came back with, if it did. An answer that nobody asked for is refused. */
export async function comeBack() {
  const query = new URLSearchParams(location.search);
  if (!query.has("state") || !(query.has("code") || query.has("error"))) return;
  const asked = stored(SIGNING_IN);
  sessionStorage.removeItem(SIGNING_IN);
  history.replaceState(history.state, "", asked?.back ?? "/");
  if (query.get("state") !== asked?.state) {
    if (stored(TOKENS)) return; // an old address, and nothing is lost
    throw new Error("This sign-in was not asked for in this tab, or it was used before. Please sign in again.");
  }
  if (query.has("error")) {
    const said = query.get("error_description") ?? query.get("error");
    throw new Error(`You are not signed in. The sign-in page said: ${said}`);
  }
  const tokens = await ask({
    grant_type: "authorization_code",
    code: query.get("code"),
    redirect_uri: redirectUri(),
    code_verifier: asked.verifier,
  });
  if (!tokens) throw new Error("The sign-in did not succeed. Please sign in again.");
  keep({ ...tokens, since: Date.now() });
}

/** Tokens; null where the user pool refuses. */
async function ask(parameters) {
  const { client_id, sign_in_url } = await configured();
  const body = new URLSearchParams({ client_id, ...parameters });
  const answer = await fetch(`${sign_in_url}/oauth2/token`, { method: "POST", body }).catch(() => null);
  if (answer?.ok) return answer.json();
  if (answer && answer.status < 500 && answer.status !== 429) return null;
  throw new Error(NO_ANSWER);
}

function keep(tokens) {
  const until = Date.now() + tokens.expires_in * 1000;
  sessionStorage.setItem(TOKENS, JSON.stringify({ ...stored(TOKENS), ...tokens, until }));
}

async function renew() {
  const { refresh_token } = stored(TOKENS);
  const tokens = refresh_token ? await ask({ grant_type: "refresh_token", refresh_token }) : null;
  if (!stored(TOKENS)) return; // signed out in the meantime
  if (tokens) keep(tokens);
  else sessionStorage.removeItem(TOKENS);
}

/**
 * An access token; renewed where it is about to end, or is the one that was refused. Null where the user must sign in.
 *
 * @param {{refused?: string}} [which]
 * @returns {Promise<string | null>}
 */
export async function token({ refused } = {}) {
  const tokens = stored(TOKENS);
  if (!tokens) return null;
  if (tokens.access_token === refused || tokens.until - EARLY_MS < Date.now()) {
    renewal ??= renew().finally(() => {
      renewal = undefined;
    });
    await renewal;
  }
  return stored(TOKENS)?.access_token ?? null;
}

/** Whether the user signed in a moment ago. */
export function isNew() {
  return Date.now() - (stored(TOKENS)?.since ?? 0) < NEW_MS;
}

/** The name to greet with: what the ID token says, which is for showing only. */
export function userName() {
  const payload = stored(TOKENS)?.id_token?.split(".")[1];
  if (!payload) return "";
  const bytes = Uint8Array.from(atob(payload.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const claims = JSON.parse(new TextDecoder().decode(bytes));
  return claims.email ?? claims["cognito:username"] ?? "";
}

/** Forgets the tokens, here, in the other tabs and at the user pool, and ends the sign-in page's own session. */
export async function signOut() {
  const { client_id, sign_in_url } = await configured();
  tabs.postMessage("signed out");
  await forget(client_id, sign_in_url);
  location.assign(`${sign_in_url}/logout?${new URLSearchParams({ client_id, logout_uri: redirectUri() })}`);
}

async function forget(client_id, sign_in_url) {
  const refresh_token = stored(TOKENS)?.refresh_token;
  sessionStorage.removeItem(TOKENS);
  if (!refresh_token) return;
  const body = new URLSearchParams({ client_id, token: refresh_token });
  await fetch(`${sign_in_url}/oauth2/revoke`, { method: "POST", body }).catch(() => {});
}

/** Calls back when the user signs out in another tab; the tokens of this one are forgotten by then. */
export function onSignedOut(callback) {
  tabs.addEventListener("message", async () => {
    if (!stored(TOKENS)) return;
    const { client_id, sign_in_url } = await configured();
    const forgotten = forget(client_id, sign_in_url);
    callback();
    await forgotten;
  });
}
