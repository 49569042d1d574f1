/** Sign-in at an OpenID provider: authorization code with PKCE (RFC 7636). */
import { type Settings, saveToken } from "./session";

interface Provider {
  authorization_endpoint: string;
  token_endpoint: string;
}

const VERIFIER_KEY = "vigil.verifier";
const here = (): string => location.origin + location.pathname;

const discover = async (issuer: string): Promise<Provider> =>
  (await fetch(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`)).json() as Promise<Provider>;

export async function startSignIn(settings: Settings): Promise<void> {
  const provider = await discover(settings.issuer ?? "");
  const verifier = encode(crypto.getRandomValues(new Uint8Array(48)));
  const state = encode(crypto.getRandomValues(new Uint8Array(16)));
  sessionStorage.setItem(VERIFIER_KEY, JSON.stringify({ verifier, state }));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  const query = new URLSearchParams({
    response_type: "code",
    client_id: settings.client_id ?? "",
    redirect_uri: here(),
    scope: "openid",
    state,
    code_challenge: encode(new Uint8Array(digest)),
    code_challenge_method: "S256",
  });
  location.assign(`${provider.authorization_endpoint}?${query}`);
}

/** Exchanges the code in the address for a token; does nothing on any other visit. */
export async function finishSignIn(settings: Settings): Promise<void> {
  const query = new URLSearchParams(location.search);
  const code = query.get("code");
  const started = sessionStorage.getItem(VERIFIER_KEY);
  if (settings.sign_in !== "oidc" || !code || !started) return;
  sessionStorage.removeItem(VERIFIER_KEY);
  history.replaceState(null, "", location.pathname);
  const { verifier, state } = JSON.parse(started) as { verifier: string; state: string };
  if (state !== query.get("state")) return;
  const provider = await discover(settings.issuer ?? "");
  const body = new URLSearchParams({
    grant_type: "authorization_code",
    client_id: settings.client_id ?? "",
    code,
    redirect_uri: here(),
    code_verifier: verifier,
  });
  const response = await fetch(provider.token_endpoint, { method: "POST", body });
  if (!response.ok) return;
  const tokens = (await response.json()) as { id_token?: string; access_token: string };
  saveToken(tokens.id_token ?? tokens.access_token);
}

const encode = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
