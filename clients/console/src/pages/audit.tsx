/** Who looked at what, whether the log is unbroken, and what the caller may do. */
import { useState } from "preact/hooks";
import { api, read } from "../api";
import { Button, Empty, Facts, Load, PageHeader, Pill, ProblemNote } from "../components/basics";
import { useAction, useLoaded } from "../hooks";
import type { components } from "../schema";
import { can, currentCaller } from "../session";
import { formatTime, t, tValue } from "../texts";

type Verification = components["schemas"]["AuditVerification"];
type Entry = components["schemas"]["AuditEntryOut"];

export function AuditPage() {
  return (
    <>
      <PageHeader title={t("page.audit")} lead={t("audit.lead")} />
      <Access />
      {can("list-audit-entries") && <Log />}
    </>
  );
}

function Access() {
  const caller = currentCaller();
  if (!caller) return null;
  const list = (names: readonly string[] | null | undefined, all: string) => (names ? names.join(", ") || t("audit.no_source") : all);
  return (
    <section class="panel stack">
      <h2>{t("audit.access")}</h2>
      <Facts
        rows={[
          [t("audit.caller"), caller.caller],
          [t("audit.role"), <Pill kind="role" value={caller.role} tone="info" />],
          [t("audit.sources"), list(caller.sources, t("common.all_sources"))],
          [t("audit.galleries"), list(caller.galleries, !caller.sources ? t("people.all_galleries") : t("audit.no_source"))],
        ]}
      />
      <details>
        <summary>{t("audit.operations", { count: caller.operations.length })}</summary>
        <ul class="columns-list">{caller.operations.map((one) => <li key={one}><code>{one}</code></li>)}</ul>
      </details>
    </section>
  );
}

function Log() {
  const [who, setWho] = useState("");
  const [cursor, setCursor] = useState<string>();
  const [older, setOlder] = useState<readonly Entry[]>([]);
  const loaded = useLoaded(() => read(api.GET("/v1/audit", { params: { query: { caller: who || undefined, limit: 50, cursor } } })), [who, cursor]);
  const filter = (caller: string) => (setOlder([]), setCursor(undefined), setWho(caller));
  return (
    <section class="stack">
      <header class="row wrap">
        <h2 class="grow">{t("audit.log")}</h2>
        <form class="row" onSubmit={(event) => (event.preventDefault(), filter(new FormData(event.currentTarget).get("caller")?.toString() ?? ""))}>
          <input type="search" name="caller" placeholder={t("audit.filter")} aria-label={t("audit.filter")} />
        </form>
        {can("verify-audit-log") && <Verify />}
      </header>
      <Load of={loaded}>
        {(page) => {
          const entries = [...older, ...page.items];
          if (entries.length === 0) return <Empty icon="audit" title={t("audit.empty")} />;
          return (
            <>
              <div class="scroll" tabIndex={0} role="region" aria-label={t("audit.log")}>
                <table class="list">
                  <thead><tr><th>{t("common.time")}</th><th>{t("audit.caller")}</th><th>{t("audit.operation")}</th><th>{t("audit.about")}</th></tr></thead>
                  <tbody>{entries.map((one) => <EntryRow key={`${one.chain}-${one.number}`} entry={one} onCaller={() => filter(one.caller)} />)}</tbody>
                </table>
              </div>
              {page.next && <Button onClick={() => (setOlder(entries), setCursor(page.next ?? undefined))}>{t("common.more")}</Button>}
            </>
          );
        }}
      </Load>
    </section>
  );
}

function EntryRow({ entry, onCaller }: { entry: Entry; onCaller: () => void }) {
  const about = Object.entries(entry.resource_ids).map(([name, value]) => `${name} ${value}`).join(" · ");
  return (
    <tr>
      <td class="nowrap">{formatTime(entry.at)}</td>
      <td><button type="button" class="link" onClick={onCaller}>{entry.caller}</button><small class="muted"> {tValue("role", entry.role)}</small></td>
      <td><code>{entry.operation}</code></td>
      <td class="grow muted small">{about}</td>
    </tr>
  );
}

function Verify() {
  const [result, setResult] = useState<Verification>();
  const { busy, problem, run } = useAction();
  const verify = () => run(async () => setResult(await read(api.GET("/v1/audit/verification"))));
  return (
    <>
      <Button disabled={busy} onClick={() => void verify()}>{t("audit.verify")}</Button>
      <ProblemNote problem={problem} />
      {result && (
        <p class={result.valid ? "good-text" : "bad-text"} role="status">
          {result.valid ? t("audit.valid", { entries: result.entries, chains: result.chains }) : result.breaks.map((one) => `${one.chain} ${one.number}: ${one.reason}`).join("; ")}
        </p>
      )}
    </>
  );
}
