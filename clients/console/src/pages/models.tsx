/** Models: their cards, releases with their gates, trainings with their cost, and decisions about releases. */
import { useState } from "preact/hooks";
import { api, read } from "../api";
import { Button, Dialog, Empty, Facts, Field, Load, PageHeader, Pill, ProblemNote } from "../components/basics";
import { Bar } from "../components/charts";
import { useAction, useLoaded, useNow } from "../hooks";
import type { components } from "../schema";
import { can } from "../session";
import { formatAge, formatBytes, formatNumber, formatPercent, formatTime, t, tValue } from "../texts";

type Model = components["schemas"]["ModelDetails"];
type Release = components["schemas"]["ReleaseOut"];
type Training = components["schemas"]["TrainingOut"];

export function ModelsPage({ id }: { id: string }) {
  const models = useLoaded(() => read(api.GET("/v1/models")), []);
  return (
    <>
      <PageHeader title={t("page.models")} lead={t("models.lead")} />
      <Load of={models}>
        {({ items }) => {
          const chosen = items.find((one) => one.name === id)?.name ?? items[0]?.name;
          if (!chosen) return <Empty icon="models" title={t("models.empty")} />;
          return (
            <>
              <nav class="tabs" aria-label={t("page.models")}>
                {items.map((one) => (
                  <a key={one.name} href={`#/models/${one.name}`} aria-current={one.name === chosen ? "page" : undefined}>{one.name}</a>
                ))}
              </nav>
              <ModelDetails key={chosen} name={chosen} />
            </>
          );
        }}
      </Load>
    </>
  );
}

function ModelDetails({ name }: { name: string }) {
  const path = { params: { path: { model: name } } };
  const model = useLoaded(() => read(api.GET("/v1/models/{model}", path)), [name], 15_000);
  const trainings = useLoaded(async () => (can("list-trainings") ? (await read(api.GET("/v1/models/{model}/trainings", path))).items : []), [name]);
  return (
    <Load of={model}>
      {(found) => (
        <>
          <section class="grid">
            <Releases model={found} reload={model.reload} />
            <Card model={found} />
          </section>
          {can("list-trainings") && <Trainings model={name} trainings={trainings.data ?? []} reload={trainings.reload} />}
        </>
      )}
    </Load>
  );
}

function Releases({ model, reload }: { model: Model; reload: () => Promise<void> }) {
  const [deciding, setDeciding] = useState<Decision>();
  return (
    <article class="panel stack">
      <header class="row wrap">
        <h2 class="grow">{t("models.releases")}</h2>
        {can("roll-back-model") && model.previous && <Button onClick={() => setDeciding({ kind: "rollback", model: model.name })}>{t("models.roll_back")}</Button>}
      </header>
      <Facts
        rows={[
          [t("models.active"), <code>{model.active || "–"}</code>],
          model.candidate ? [t("models.candidate"), <code>{model.candidate.release}</code>] : null,
          model.candidate ? [t("models.shadow_share"), <Share value={model.candidate.shadow_share} />] : null,
          model.candidate ? [t("models.canary_share"), <Share value={model.candidate.canary_share} />] : null,
          model.previous ? [t("models.previous"), <code>{model.previous}</code>] : null,
        ]}
      />
      {model.releases.length === 0 && <p class="muted">{t("models.no_releases")}</p>}
      {model.releases.map((one) => (
        <ReleaseRow key={one.id} release={one} isCandidate={model.candidate?.release === one.id} onDecide={(kind) => setDeciding({ kind, model: model.name, release: one.id })} />
      ))}
      {deciding && <DecisionDialog decision={deciding} onClose={() => (setDeciding(undefined), void reload())} />}
    </article>
  );
}

const Share = ({ value }: { value: number }) => (
  <span class="row"><Bar share={value} /> {formatPercent(value, 0)}</span>
);

interface ReleaseRowProps {
  release: Release;
  isCandidate: boolean;
  onDecide: (kind: "promote" | "reject") => void;
}

function ReleaseRow({ release, isCandidate, onDecide }: ReleaseRowProps) {
  const { metric, gain, reembedding } = release;
  return (
    <details class="release">
      <summary>
        <code>{release.id}</code>
        <Pill kind="stage" value={release.stage} tone={release.stage === "active" ? "good" : "info"} />
        <span class="muted">{t("models.accuracy", { value: formatPercent(metric.value), low: formatPercent(metric.low), high: formatPercent(metric.high) })}</span>
      </summary>
      {gain && <p class="small">{t("models.gain", { value: formatPercent(gain.value, 2), low: formatPercent(gain.low, 2), high: formatPercent(gain.high, 2) })}</p>}
      {reembedding && <p class="small">{t("models.reembedding", { done: reembedding.people - reembedding.remaining, people: reembedding.people })}</p>}
      <ol class="history">
        {release.history.map((one) => (
          <li key={one.at + one.event}>
            <strong>{tValue("stage", one.stage)}</strong> <span class="muted">{one.event} · {formatTime(one.at)}</span>
            {one.reasons.map((reason) => <p class="small" key={reason}>{reason}</p>)}
          </li>
        ))}
      </ol>
      {isCandidate && can("promote-release") && (
        <div class="row wrap">
          <Button kind="primary" onClick={() => onDecide("promote")}>{t("models.promote")}</Button>
          <Button onClick={() => onDecide("reject")}>{t("models.reject")}</Button>
        </div>
      )}
    </details>
  );
}

interface Decision {
  kind: "promote" | "reject" | "rollback";
  model: string;
  release?: string;
}

const DECISIONS = { promote: "models.promote", reject: "models.reject", rollback: "models.roll_back" } as const;

function DecisionDialog({ decision, onClose }: { decision: Decision; onClose: () => void }) {
  const [reason, setReason] = useState("");
  const { busy, problem, run } = useAction();
  const { kind, model, release = "" } = decision;
  const body = { reason };
  const decide = async () => {
    const params = { path: { model, release } };
    const done = await run(async () => {
      if (kind === "promote") await read(api.POST("/v1/models/{model}/releases/{release}/promote", { params, body }));
      else if (kind === "reject") await read(api.POST("/v1/models/{model}/releases/{release}/reject", { params, body }));
      else await read(api.POST("/v1/models/{model}/rollback", { params: { path: { model } }, body }));
    });
    if (done) onClose();
  };
  return (
    <Dialog title={t(DECISIONS[kind])} onClose={onClose}>
      <form class="stack" onSubmit={(event) => (event.preventDefault(), void decide())}>
        <p>{model} <code>{release}</code></p>
        <Field label={t("models.why")}>
          <input value={reason} required minLength={3} maxLength={300} autofocus onInput={(event) => setReason(event.currentTarget.value)} />
        </Field>
        <ProblemNote problem={problem} />
        <Button submit kind="primary" disabled={busy}>{t(DECISIONS[kind])}</Button>
      </form>
    </Dialog>
  );
}

/** The contents of card.toml, table by table. */
function Card({ model }: { model: Model }) {
  return (
    <article class="panel stack">
      <h2>{t("models.card")}</h2>
      <Facts rows={[[t("models.files"), `${model.suffixes.join(" ")} · ${formatBytes(model.max_bytes)}`], ...cardRows(model.card)]} />
    </article>
  );
}

function cardRows(card: Readonly<Record<string, unknown>>, prefix = ""): (readonly [string, string])[] {
  return Object.entries(card).flatMap(([key, value]): (readonly [string, string])[] => {
    const name = prefix + key;
    if (Array.isArray(value)) return [[name, value.map((one) => (typeof one === "object" ? JSON.stringify(one) : String(one))).join(", ")]];
    if (typeof value === "object" && value !== null) return cardRows(value as Record<string, unknown>, `${name}.`);
    return [[name, String(value)]];
  });
}

interface TrainingsProps {
  model: string;
  trainings: readonly Training[];
  reload: () => Promise<void>;
}

function Trainings({ model, trainings, reload }: TrainingsProps) {
  const now = useNow(30_000);
  const { busy, problem, run } = useAction();
  const start = () => run(async () => void (await read(api.POST("/v1/models/{model}/trainings", { params: { path: { model } }, body: { recipe: null } })), await reload()));
  const usd = (value: number) => `$${formatNumber(value, 2)}`;
  return (
    <section>
      <header class="row wrap">
        <h2 class="grow">{t("models.trainings")}</h2>
        {can("start-training") && <Button disabled={busy} onClick={() => void start()}>{t("models.train")}</Button>}
      </header>
      <ProblemNote problem={problem} />
      {trainings.length === 0 ? (
        <p class="muted">{t("models.no_trainings")}</p>
      ) : (
        <table class="list">
          <tbody>
            {trainings.map((one) => (
              <tr key={one.job}>
                <td><Pill kind="job" value={one.state} tone={one.release ? "good" : "info"} /></td>
                <td class="grow"><code>{one.job}</code>{one.reason && <small class="muted"> {one.reason}</small>}</td>
                <td>{one.usd == null ? t("models.expected", { usd: usd(one.expected_usd), max: usd(one.max_usd) }) : usd(one.usd)}</td>
                <td class="muted">{formatAge(one.since, now)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
