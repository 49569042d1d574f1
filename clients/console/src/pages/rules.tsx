/** The rules as a form and as TOML, side by side; a dry run on the last day comes before they are put in force. */
import { useEffect, useState } from "preact/hooks";
import { parse } from "smol-toml";
import { type DryRun, type Rules, api, read } from "../api";
import { Button, Choice, Dialog, Field, Load, PageHeader, ProblemNote } from "../components/basics";
import { type Rule, type RuleCondition, addRule, removeRule, replaceRule, rulesOf } from "../rules_text";
import { useAction, useLoaded } from "../hooks";
import { can } from "../session";
import { formatTime, t, tValue } from "../texts";

const SEVERITIES = ["info", "warning", "critical"] as const;
const STATUSES = ["known", "unknown", "ambiguous", "unfit"] as const;

export function RulesPage() {
  const rules = useLoaded(() => read(api.GET("/v1/rules")), []);
  return <Load of={rules}>{(found) => <RulesEditor key={found.version} rules={found} reload={rules.reload} />}</Load>;
}

function parseText(text: string): { parsed: readonly Rule[]; error: string } {
  try {
    return { parsed: rulesOf(parse(text)), error: "" };
  } catch (failure) {
    return { parsed: [], error: failure instanceof Error ? (failure.message.split("\n")[0] ?? "") : "" };
  }
}

function RulesEditor({ rules, reload }: { rules: Rules; reload: () => Promise<void> }) {
  const [text, setText] = useState(rules.toml);
  const [result, setResult] = useState<{ text: string; run: DryRun }>();
  const [history, setHistory] = useState(false);
  const { busy, problem, run } = useAction();
  const { parsed, error } = parseText(text);
  const mayWrite = can("replace-rules");
  const changed = text !== rules.toml;
  const tried = result?.text === text ? result.run : undefined;
  const dryRun = () => run(async () => setResult({ text, run: await read(api.POST("/v1/rules/dry-run", { body: { toml: text, hours: 24 } })) }));
  const apply = () => run(async () => void (await read(api.PUT("/v1/rules", { body: { toml: text, version: rules.version } })), await reload()));
  return (
    <>
      <PageHeader title={t("page.rules")} lead={t("rules.lead")}>
        {can("list-rules-history") && <Button kind="quiet" onClick={() => setHistory(true)}>{t("rules.history")}</Button>}
        {changed && <Button kind="quiet" onClick={() => setText(rules.toml)}>{t("rules.undo")}</Button>}
        {can("dry-run-rules") && <Button disabled={busy || !!error} onClick={() => void dryRun()}>{t("rules.dry_run")}</Button>}
        {mayWrite && <Button kind="primary" disabled={busy || !changed || !tried} hint={tried ? "" : t("rules.try_first")} onClick={() => void apply()}>{t("rules.apply")}</Button>}
      </PageHeader>
      {rules.problem && <p class="note bad">{rules.problem}</p>}
      <ProblemNote problem={problem} />
      {tried && <DryRunTable run={tried} />}
      <div class="split even">
        <div class="stack">
          {parsed.map((rule, number) => (
            <RuleForm key={number} rule={rule} disabled={!mayWrite || !!error} onChange={(edited) => setText(replaceRule(text, number, edited))} onRemove={() => setText(removeRule(text, number))} />
          ))}
          {mayWrite && !error && <Button onClick={() => setText(addRule(text, parsed))}>{t("rules.add")}</Button>}
        </div>
        <div class="toml">
          <textarea aria-label="rules.toml" spellcheck={false} readOnly={!mayWrite} value={text} onInput={(event) => setText(event.currentTarget.value)} />
          <p class={error ? "bad-text small" : "muted small"} role="status">{error || t("rules.valid", { count: parsed.length })}</p>
        </div>
      </div>
      {history && <HistoryDialog onClose={() => setHistory(false)} onChoose={(toml) => (setText(toml), setHistory(false))} />}
    </>
  );
}

interface RuleFormProps {
  rule: Rule;
  disabled: boolean;
  onChange: (rule: Rule) => void;
  onRemove: () => void;
}

function RuleForm({ rule, disabled, onChange, onRemove }: RuleFormProps) {
  const [name, setName] = useState(rule.name);
  useEffect(() => setName(rule.name), [rule.name]);
  const when = rule.when ?? {};
  const set = (change: Partial<Rule>) => onChange({ ...rule, ...change });
  const setWhen = (change: Partial<RuleCondition>) => {
    const kept = Object.entries({ ...when, ...change }).filter(([, value]) => value !== undefined && value !== "" && !(Array.isArray(value) && value.length === 0));
    set({ when: Object.fromEntries(kept) });
  };
  const toggle = (status: string) => {
    const before = when.status ?? [];
    setWhen({ status: before.includes(status) ? before.filter((one) => one !== status) : [...before, status] });
  };
  return (
    <fieldset class="panel stack" disabled={disabled}>
      <legend class="sr">{rule.name}</legend>
      <div class="row wrap">
        <label class="field grow">
          <span>{t("rules.name")}</span>
          <input value={name} onInput={(event) => setName(event.currentTarget.value)} onBlur={() => name !== rule.name && set({ name })} />
        </label>
        <Field label={t("rules.severity")}>
          <Choice label={t("rules.severity")} value={rule.severity ?? "warning"} options={SEVERITIES.map((one) => [one, tValue("severity", one)] as const)} onChange={(severity) => set({ severity })} />
        </Field>
      </div>
      <div class="row wrap checks" role="group" aria-label={t("common.status")}>
        {STATUSES.map((one) => (
          <label key={one}><input type="checkbox" checked={when.status?.includes(one) ?? false} onChange={() => toggle(one)} /> {tValue("status", one)}</label>
        ))}
      </div>
      <div class="row wrap">
        <Field label={t("rules.tags")}>
          <input value={(when.tags ?? []).join(", ")} onChange={(event) => setWhen({ tags: words(event.currentTarget.value) })} />
        </Field>
        <Field label={t("rules.area")}>
          <input value={when.area ?? ""} onChange={(event) => setWhen({ area: event.currentTarget.value.trim() })} />
        </Field>
        <Field label={t("rules.hours")}>
          <Choice label={t("rules.hours")} value={when.hours ?? ""} options={[["", t("rules.any")], ["open", t("rules.open")], ["closed", t("rules.closed")]]} onChange={(hours) => setWhen({ hours })} />
        </Field>
        <Field label={t("rules.window")}>
          <input type="number" min={1} max={86400} value={rule.window_s ?? 600} onChange={(event) => set({ window_s: Number(event.currentTarget.value) })} />
        </Field>
        <Field label={t("rules.reviewers")}>
          <input type="number" min={1} max={3} value={rule.reviewers ?? 1} onChange={(event) => set({ reviewers: Number(event.currentTarget.value) })} />
        </Field>
        {!disabled && <Button kind="quiet" onClick={onRemove}>{t("rules.remove")}</Button>}
      </div>
    </fieldset>
  );
}

const words = (text: string): string[] => text.split(",").map((one) => one.trim()).filter(Boolean);

function DryRunTable({ run }: { run: DryRun }) {
  return (
    <section class="panel" aria-label={t("rules.dry_run")}>
      <p>{t("rules.evaluated", { count: run.sightings })}{!run.complete && ` ${t("rules.incomplete")}`}</p>
      <table class="list">
        <thead><tr><th>{t("rules.name")}</th><th>{t("rules.now")}</th><th>{t("rules.then")}</th></tr></thead>
        <tbody>
          {run.rules.map((one) => (
            <tr key={one.rule}>
              <td class="grow">{one.rule}</td>
              <td>{one.current_alerts}</td>
              <td>{one.max_alerts > one.alerts ? `${one.alerts} – ${one.max_alerts}` : one.alerts}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function HistoryDialog({ onClose, onChoose }: { onClose: () => void; onChoose: (toml: string) => void }) {
  const found = useLoaded(() => read(api.GET("/v1/rules/history", { params: { query: { limit: 20 } } })), []);
  return (
    <Dialog title={t("rules.history")} onClose={onClose}>
      <Load of={found}>
        {({ items }) => (
          <table class="list">
            <tbody>
              {items.length === 0 && <tr><td class="muted">{t("rules.no_history")}</td></tr>}
              {items.map((one) => (
                <tr key={one.at}>
                  <td>{formatTime(one.at)}</td>
                  <td class="grow">{one.caller}</td>
                  <td><Button onClick={() => onChoose(one.toml)}>{t("rules.take")}</Button></td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </Load>
    </Dialog>
  );
}
