/** The navigation beside every page, and which page the address names. */
import { useState } from "preact/hooks";
import { Button } from "./components/basics";
import { Icon, type IconName } from "./components/icons";
import { useRoute, useStored } from "./hooks";
import { AlertsPage } from "./pages/alerts";
import { AuditPage } from "./pages/audit";
import { HealthPage } from "./pages/health";
import { LivePage } from "./pages/live";
import { ModelsPage } from "./pages/models";
import { PeoplePage } from "./pages/people";
import { RulesPage } from "./pages/rules";
import { SearchPage } from "./pages/search";
import { UnknownsPage } from "./pages/unknowns";
import { UploadPage } from "./pages/upload";
import { can, currentCaller } from "./session";
import { type TextKey, t, tValue } from "./texts";

interface Page {
  name: IconName & TextSuffix;
  /** What the token must allow for the page to be of use. */
  needs: string;
  show: (props: { id: string }) => preact.JSX.Element;
}
type TextSuffix = TextKey extends infer Key ? (Key extends `page.${infer Name}` ? Name : never) : never;

const PAGES: readonly Page[] = [
  { name: "live", needs: "list-sightings", show: LivePage },
  { name: "alerts", needs: "list-alerts", show: AlertsPage },
  { name: "people", needs: "list-people", show: PeoplePage },
  { name: "unknowns", needs: "list-sightings", show: UnknownsPage },
  { name: "search", needs: "search-sightings", show: SearchPage },
  { name: "upload", needs: "create-upload", show: UploadPage },
  { name: "health", needs: "get-status", show: HealthPage },
  { name: "models", needs: "list-models", show: ModelsPage },
  { name: "rules", needs: "get-rules", show: RulesPage },
  { name: "audit", needs: "get-caller", show: AuditPage },
];
const NEXT_THEME: Readonly<Record<string, string>> = { auto: "light", light: "dark", dark: "auto" };

export function Shell({ onSignOut, onLanguage }: { onSignOut: () => void; onLanguage: () => void }) {
  const route = useRoute();
  const [open, setOpen] = useState(false);
  const pages = PAGES.filter((page) => can(page.needs));
  const page = pages.find((one) => one.name === route.page) ?? pages[0];
  const caller = currentCaller();
  if (!page || !caller) return null;
  return (
    <div class="shell">
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), document.getElementById("main")?.focus())}>
        {t("shell.skip")}
      </a>
      <div class="top">
        <img src="./icon.svg" alt="" width={24} height={24} />
        <strong>Vigil</strong>
        <Button kind="quiet" icon={open ? "close" : "menu"} hint={t("shell.menu")} onClick={() => setOpen(!open)} />
      </div>
      <nav class={open ? "open" : ""} aria-label={t("shell.pages")}>
        {pages.map(({ name }) => (
          <a key={name} href={`#/${name}`} aria-current={name === page.name ? "page" : undefined} onClick={() => setOpen(false)}>
            <Icon name={name} />
            {t(`page.${name}`)}
          </a>
        ))}
        <div class="account">
          <p title={caller.caller}>
            <strong>{caller.caller}</strong>
            <span class="muted">{tValue("role", caller.role)}</span>
          </p>
          <div class="tools">
            <ThemeButton />
            <Button kind="quiet" onClick={onLanguage}>
              {t("shell.other_language")}
            </Button>
            <Button kind="quiet" onClick={onSignOut}>
              {t("shell.sign_out")}
            </Button>
          </div>
        </div>
      </nav>
      <main id="main" tabIndex={-1}>
        <page.show key={page.name} id={route.id} />
      </main>
    </div>
  );
}

function ThemeButton() {
  const [theme, setTheme] = useStored("vigil.theme", "auto");
  const next = () => {
    const chosen = NEXT_THEME[theme] ?? "auto";
    setTheme(chosen);
    document.documentElement.dataset["theme"] = chosen;
  };
  return <Button kind="quiet" icon="theme" hint={`${t("shell.theme")}: ${tValue("theme", theme)}`} onClick={next} />;
}
