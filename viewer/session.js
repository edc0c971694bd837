/**
 * Who is signed in: OAuth 2.0 authorization code with PKCE (RFC 7636) against the user pool's sign-in page.
 *
 * Tokens live in this tab's sessionStorage: they end with the tab, and no other origin reads them.
 */
const TOKENS = "tokens";
const SIGNING_IN = "signing-in";
const EARLY_MS = 60_000; // a token about to end is renewed before it is used

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
  configuration ??= await (await fetch("/viewer/config.json")).json();
  return configuration;
}

/** Goes to the sign-in page; it comes back to where we are now. */
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
  history.replaceState(null, "", asked?.back ?? "/");
  if (query.get("state") !== asked?.state) throw new Error("This sign-in was not asked for here. Please sign in again.");
  if (query.has("error")) throw new Error(query.get("error_description") ?? query.get("error"));
  await ask({
    grant_type: "authorization_code",
    code: query.get("code"),
    redirect_uri: redirectUri(),
    code_verifier: asked.verifier,
  });
}

async function ask(parameters) {
  const { client_id, sign_in_url } = await configured();
  const answer = await fetch(`${sign_in_url}/oauth2/token`, {
    method: "POST",
    body: new URLSearchParams({ client_id, ...parameters }),
  });
  if (!answer.ok) throw new Error("The sign-in did not succeed. Please sign in again.");
  const tokens = await answer.json();
  const kept = { refresh_token: stored(TOKENS)?.refresh_token, ...tokens, until: Date.now() + tokens.expires_in * 1000 };
  sessionStorage.setItem(TOKENS, JSON.stringify(kept));
}

/** An access token; renewed where it is about to end or `anew`. Null where the user must sign in. */
export async function token({ anew = false } = {}) {
  const tokens = stored(TOKENS);
  if (!tokens) return null;
  if (anew || tokens.until - EARLY_MS < Date.now()) {
    renewal ??= ask({ grant_type: "refresh_token", refresh_token: tokens.refresh_token }).finally(() => {
      renewal = undefined;
    });
    try {
      await renewal;
    } catch {
      sessionStorage.removeItem(TOKENS);
      return null;
    }
  }
  return stored(TOKENS)?.access_token ?? null;
}

/** The name to greet with: what the ID token says, which is for showing only. */
export function userName() {
  const payload = stored(TOKENS)?.id_token?.split(".")[1];
  if (!payload) return "";
  const bytes = Uint8Array.from(atob(payload.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const claims = JSON.parse(new TextDecoder().decode(bytes));
  return claims.email ?? claims["cognito:username"] ?? "";
}

/** Forgets the tokens, here and at the user pool, and ends the sign-in page's own session. */
export async function signOut() {
  const { client_id, sign_in_url } = await configured();
  const refresh_token = stored(TOKENS)?.refresh_token;
  sessionStorage.removeItem(TOKENS);
  if (refresh_token) {
    const body = new URLSearchParams({ client_id, token: refresh_token });
    await fetch(`${sign_in_url}/oauth2/revoke`, { method: "POST", body }).catch(() => {});
  }
  location.assign(`${sign_in_url}/logout?${new URLSearchParams({ client_id, logout_uri: redirectUri() })}`);
}
