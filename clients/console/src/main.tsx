/** Starts the console: signs in, then shows the page of the address. */
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ApiProblem, api, asProblem, read, whenSignedOut } from "./api";
import { ProblemNote } from "./components/basics";
import { finishSignIn } from "./oidc";
import { type Settings, forgetToken, readToken, setCaller, takeTokenFromAddress } from "./session";
import { Shell } from "./shell";
import { SignIn } from "./sign_in";
import { currentLanguage, setLanguage, t } from "./texts";

type Stage = "starting" | "signed-out" | "signed-in";

function App() {
  const [stage, setStage] = useState<Stage>("starting");
  const [settings, setSettings] = useState<Settings>({ sign_in: "token" });
  const [problem, setProblem] = useState<ApiProblem>();
  const [language, chooseLanguage] = useState(currentLanguage);

  const enter = async () => {
    setProblem(undefined);
    try {
      setCaller(await read(api.GET("/v1/me")));
      setStage("signed-in");
    } catch (failure) {
      setProblem(asProblem(failure));
      setStage("signed-out");
    }
  };
  const leave = () => {
    forgetToken();
    setCaller(null);
    setStage("signed-out");
  };
  useEffect(() => {
    whenSignedOut(() => {
      leave();
      setProblem(new ApiProblem(401, t("sign_in.ended"), ""));
    });
    void (async () => {
      const found = await fetchSettings();
      setSettings(found);
      takeTokenFromAddress();
      await finishSignIn(found);
      if (readToken()) await enter();
      else setStage("signed-out");
    })();
    const linkOpened = () => location.hash.startsWith("#token=") && (takeTokenFromAddress(), void enter());
    addEventListener("hashchange", linkOpened);
    return () => removeEventListener("hashchange", linkOpened);
  }, []);

  const switchLanguage = () => {
    setLanguage(language === "en" ? "zh" : "en");
    chooseLanguage(currentLanguage());
  };
  if (stage === "starting") return null;
  if (stage === "signed-in") return <Shell key={language} onSignOut={leave} onLanguage={switchLanguage} />;
  return (
    <SignIn key={language} settings={settings} onSignedIn={() => void enter()} onLanguage={switchLanguage}>
      <ProblemNote problem={problem} />
    </SignIn>
  );
}

async function fetchSettings(): Promise<Settings> {
  const response = await fetch("./config.json").catch(() => undefined);
  return response?.ok ? ((await response.json()) as Settings) : { sign_in: "token" };
}

setLanguage(currentLanguage());
document.documentElement.dataset["theme"] = localStorage.getItem("vigil.theme") ?? "auto";
const root = document.getElementById("app");
if (root) render(<App />, root);
