/** The page for a visitor without a valid token. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Button, Field } from "./components/basics";
import { startSignIn } from "./oidc";
import { type Settings, saveToken } from "./session";
import { t } from "./texts";

interface SignInProps {
  settings: Settings;
  onSignedIn: () => void;
  onLanguage: () => void;
  children: ComponentChildren;
}

export function SignIn({ settings, onSignedIn, onLanguage, children }: SignInProps) {
  const [token, setToken] = useState("");
  const paste = (event: Event) => {
    event.preventDefault();
    saveToken(token);
    onSignedIn();
  };
  return (
    <main class="sign-in">
      <img src="./icon.svg" alt="" width={48} height={48} />
      <h1>Vigil</h1>
      {children}
      {settings.sign_in === "oidc" && (
        <Button kind="primary" onClick={() => void startSignIn(settings)}>
          {t("sign_in.provider")}
        </Button>
      )}
      {settings.sign_in === "local" && (
        <p class="muted">
          {t("sign_in.local")} <code>./vigil token --role admin --link</code>
        </p>
      )}
      <form onSubmit={paste}>
        <Field label={t("sign_in.token")}>
          <input type="password" autocomplete="off" value={token} onInput={(event) => setToken(event.currentTarget.value)} required />
        </Field>
        <Button submit kind={settings.sign_in === "oidc" ? "quiet" : "primary"}>
          {t("sign_in.enter")}
        </Button>
      </form>
      <Button kind="quiet" onClick={onLanguage}>
        {t("shell.other_language")}
      </Button>
    </main>
  );
}
