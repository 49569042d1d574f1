/** Who is signed in, and what the token allows. */
import type { components } from "./schema";

export type Caller = components["schemas"]["CallerOut"];

export interface Settings {
  /** local: a link with a token; oidc: the provider's page; token: a token to paste */
  sign_in: "local" | "oidc" | "token";
  issuer?: string;
  client_id?: string;
}

const TOKEN_KEY = "vigil.token";

/** Takes the token out of a sign-in link, so that it stays neither in the address nor in the history. */
export function takeTokenFromAddress(): void {
  const match = /^#token=([\w.-]+)$/.exec(location.hash);
  if (!match?.[1]) return;
  sessionStorage.setItem(TOKEN_KEY, match[1]);
  history.replaceState(null, "", location.pathname + "#/live");
}

export const readToken = (): string | null => sessionStorage.getItem(TOKEN_KEY);
export const saveToken = (token: string): void => sessionStorage.setItem(TOKEN_KEY, token.trim());
export const forgetToken = (): void => sessionStorage.removeItem(TOKEN_KEY);

let caller: Caller | null = null;
export const setCaller = (found: Caller | null): void => void (caller = found);
export const currentCaller = (): Caller | null => caller;

/** Whether the token allows an operation; what it does not allow is not shown. */
export const can = (operation: string): boolean => caller?.operations.includes(operation) ?? false;
