/** The health of the system and what a person should do next. */
import { useState } from "preact/hooks";
import { type Status, api, read } from "../api";
import { Button, Dialog, Empty, Facts, Load, PageHeader, Pill, ProblemNote } from "../components/basics";
import { Bar, LineChart } from "../components/charts";
import { useAction, useLoaded, useNow } from "../hooks";
import type { components } from "../schema";
import { can } from "../session";
import { formatAge, formatNumber, formatPercent, formatSeconds, formatTime, t, tValue } from "../texts";

type Lane = Status["lanes"][number];
type Slo = Status["slos"][number];
type Figures = components["schemas"]["LaneFigures"];
const POLL_MS = 5000;
const CHART_POLL_MS = 30_000;
const CHART_HOURS = 3;
const FAST_BURN = 14.4;

export function HealthPage() {
  const status = useLoaded(() => read(api.GET("/v1/status")), [], POLL_MS);
  const alarms = useLoaded(() => read(api.GET("/v1/alarms")), [], POLL_MS * 3);
  const faults = useLoaded(async () => (can("get-triage") ? (await read(api.GET("/v1/triage"))).faults : []), [], POLL_MS * 3);
  const metrics = useLoaded(() => read(api.GET("/v1/metrics", { params: { query: { hours: CHART_HOURS } } })), [], CHART_POLL_MS);
  const active = alarms.data?.items.filter((one) => one.state === "ALARM") ?? [];
  return (
    <>
      <PageHeader title={t("page.health")} lead={t("health.lead")} />
      <Load of={alarms}>
        {() =>
          active.length === 0 ? (
            <p class="note good">{t("health.no_alarms")}</p>
          ) : (
            <section class="stack">
              {active.map((one) => (
                <div class="note bad" key={one.name}>
                  <div>
                    <strong>{one.name}</strong>
                    <p>{one.description}</p>
                    {one.runbook && <p>{t("health.do_next")} <code>{one.runbook}</code> · <code>./vigil ops alarms {one.name}</code></p>}
                  </div>
                </div>
              ))}
            </section>
          )
        }
      </Load>
      <Load of={status}>
        {(found) => (
          <>
            <section>
              <h2>{t("health.lanes")}</h2>
              <div class="grid">{found.lanes.map((lane) => <LanePanel key={lane.lane} lane={lane} figures={metrics.data?.lanes.find((one) => one.lane === lane.lane)} reload={status.reload} />)}</div>
            </section>
            <section>
              <h2>{t("health.slos")}</h2>
              <div class="grid">{found.slos.map((slo) => <SloPanel key={slo.name} slo={slo} />)}</div>
            </section>
            <section>
              <h2>{t("health.system")}</h2>
              <div class="panel">
                <Facts
                  rows={[
                    [t("health.unpublished"), formatNumber(found.unpublished.batches)],
                    [t("health.degradation"), found.degradation_level ? t("health.steps", { count: found.degradation_level }) : t("health.none")],
                    [t("health.completeness"), found.completeness ? `${formatNumber(found.completeness.completed)} / ${formatNumber(found.completeness.objects)}` : t("health.not_yet")],
                    [t("health.canary"), canaryState(alarms.data?.items ?? [])],
                  ]}
                />
              </div>
            </section>
          </>
        )}
      </Load>
      <section>
        <h2>{t("health.faults")}</h2>
        <Load of={faults}>{(found) => <Faults faults={found} />}</Load>
      </section>
    </>
  );
}

const canaryState = (alarms: readonly { name: string; state: string }[]): string => {
  const found = alarms.filter((one) => one.name.includes("canary"));
  return found.length === 0 ? t("health.not_yet") : found.some((one) => one.state === "ALARM") ? t("health.fails") : t("health.works");
};

interface LanePanelProps {
  lane: Lane;
  figures: Figures | undefined;
  reload: () => Promise<void>;
}

function LanePanel({ lane, figures, reload }: LanePanelProps) {
  const [showing, setShowing] = useState(false);
  const { busy, problem, run } = useAction();
  const path = { params: { path: { lane: lane.lane } } };
  const switchLane = () =>
    run(async () => {
      await (lane.paused ? read(api.POST("/v1/lanes/{lane}/resume", path)) : read(api.POST("/v1/lanes/{lane}/pause", path)));
      await reload();
    });
  const state = lane.paused ? "paused" : lane.running ? "running" : "stopped";
  return (
    <article class="panel stack">
      <header class="row">
        <h3 class="grow">{tValue("lane", lane.lane)}</h3>
        <Pill kind="lane_state" value={state} tone={state === "running" ? "good" : "bad"} />
      </header>
      <div class="figures">
        <Figure label={t("health.backlog")} value={formatNumber(lane.visible_messages + lane.in_flight_messages)} values={figures?.waiting} />
        <Figure label={t("health.completed")} value={formatNumber(sum(figures?.completed))} values={figures?.completed} />
        <Figure label={t("health.age_p95")} value={formatSeconds(figures?.age_p95_s.findLast((one) => one > 0) ?? 0)} values={figures?.age_p95_s} />
        <Figure label={t("health.failed")} value={formatNumber(sum(figures?.failed))} values={figures?.failed} />
      </div>
      <Facts
        rows={[
          [t("health.age"), formatSeconds(lane.oldest_message_age_s)],
          [t("health.throughput"), t("health.per_minute", { count: formatNumber(lane.calls / 10, 1) })],
          [t("health.failures"), Object.entries(lane.failures).map(([name, count]) => `${name} ${count}`).join(", ") || t("health.none")],
          [t("health.workers"), lane.workers == null ? "–" : formatNumber(lane.workers)],
          ...lane.breakers.map((one) => [t("health.breaker", { name: one.dependency }), <Pill kind="breaker" value={one.state} tone={one.state === "closed" ? "good" : "bad"} />] as const),
          [t("health.dead_letters"), formatNumber(lane.dead_letters)],
        ]}
      />
      <ProblemNote problem={problem} />
      <div class="row wrap">
        {can("list-dead-letters") && lane.dead_letters > 0 && <Button onClick={() => setShowing(true)}>{t("health.show_dead_letters")}</Button>}
        {can("pause-lane") && <Button disabled={busy} onClick={() => void switchLane()}>{lane.paused ? t("health.resume") : t("health.pause")}</Button>}
      </div>
      {showing && <DeadLettersDialog lane={lane.lane} onClose={() => (setShowing(false), void reload())} />}
    </article>
  );
}

const sum = (values: readonly number[] = []): number => values.reduce((total, one) => total + one, 0);

function Figure({ label, value, values = [] }: { label: string; value: string; values?: readonly number[] | undefined }) {
  return (
    <div class="figure">
      <small class="muted">{label}</small>
      <strong>{value}</strong>
      <LineChart values={values} label={`${label}: ${value}`} />
    </div>
  );
}

function SloPanel({ slo }: { slo: Slo }) {
  const left = slo.budget_remaining;
  const fast = slo.burn_rate["1h"];
  return (
    <article class="panel stack">
      <header class="row">
        <h3 class="grow">{slo.name}</h3>
        <span class="muted">{t("health.target", { target: formatPercent(slo.target, 2) })}</span>
      </header>
      <p class="muted small">{slo.description}</p>
      {left == null ? (
        <p class="muted">{t("health.no_events")}</p>
      ) : (
        <div class="row">
          <Bar share={left} tone={left > 0.3 ? "good" : "bad"} />
          <span>{t("health.budget", { left: formatPercent(left, 0) })}</span>
        </div>
      )}
      <table class="windows">
        <thead><tr><th scope="col">{t("health.window")}</th>{Object.keys(slo.good_ratio).map((window) => <th scope="col" key={window}>{window}</th>)}</tr></thead>
        <tbody>
          <tr><th scope="row">{t("health.good")}</th>{Object.entries(slo.good_ratio).map(([window, share]) => <td key={window}>{formatPercent(share, 2)}</td>)}</tr>
          <tr><th scope="row">{t("health.burn")}</th>{Object.keys(slo.good_ratio).map((window) => <td key={window} class={(slo.burn_rate[window] ?? 0) > 1 ? "bad-text" : ""}>{formatNumber(slo.burn_rate[window] ?? 0, 1)}</td>)}</tr>
        </tbody>
      </table>
      {fast !== undefined && fast > FAST_BURN && <p class="bad-text">{t("health.fast_burn")}</p>}
    </article>
  );
}

function DeadLettersDialog({ lane, onClose }: { lane: string; onClose: () => void }) {
  const path = { lane };
  const found = useLoaded(() => read(api.GET("/v1/lanes/{lane}/dead-letters", { params: { path, query: { limit: 50 } } })), [lane]);
  const { busy, problem, run } = useAction();
  const redrive = (ids: string[]) => void run(async () => void (await read(api.POST("/v1/lanes/{lane}/dead-letters/redrive", { params: { path }, body: { ids, reason: "console" } })), await found.reload()));
  return (
    <Dialog title={`${t("health.dead_letters")}: ${tValue("lane", lane)}`} onClose={onClose} wide>
      <ProblemNote problem={problem} />
      <Load of={found}>
        {({ items }) => (
          <>
            {items.length === 0 && <p class="muted">{t("health.none")}</p>}
            <table class="list">
              <tbody>
                {items.map((one) => (
                  <tr key={one.id}>
                    <td>{formatTime(one.sent_at)}</td>
                    <td class="grow">{one.drops.map((drop) => drop.error ?? drop.state ?? drop.drop).join("; ")}</td>
                    <td>{can("redrive-dead-letters") && <Button disabled={busy} onClick={() => redrive([one.id])}>{t("health.redrive")}</Button>}</td>
                  </tr>
                ))}
              </tbody>
            </table>
            {items.length > 1 && can("redrive-dead-letters") && <Button disabled={busy} onClick={() => redrive([])}>{t("health.redrive_all")}</Button>}
          </>
        )}
      </Load>
    </Dialog>
  );
}

type Fault = components["schemas"]["FaultOut"];

function Faults({ faults }: { faults: readonly Fault[] }) {
  const now = useNow();
  if (faults.length === 0) return <Empty icon="health" title={t("health.no_faults")} />;
  return (
    <table class="list">
      <tbody>
        {faults.map((one) => (
          <tr key={one.id}>
            <td><Pill kind="phase" value={one.phase} tone="warning" /></td>
            <td class="grow">{one.kind}: {one.message}<small class="muted"> {one.stage} · {one.dependency}</small></td>
            <td class="muted">{formatAge(one.since, now)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
