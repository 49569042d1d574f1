/** The queue of alerts for review, by keyboard or mouse: the face that was seen beside an earlier one, and its context. */
import { useEffect, useState } from "preact/hooks";
import { type Alert, type Decision, type Drop, api, read } from "../api";
import { Button, Choice, Empty, Facts, Load, PageHeader, Pill, ProblemNote } from "../components/basics";
import { Score } from "../components/charts";
import { DropDialog, loadDrop } from "../components/drop_dialog";
import { Thumbnail, frameOf } from "../components/photos";
import { useAction, useKeys, useLoaded, useNewest, useNow } from "../hooks";
import { can, currentCaller } from "../session";
import { formatAge, formatTime, t, tValue } from "../texts";

const STATES = ["open", "confirmed", "dismissed", "not-this-person"] as const;
const CONTEXT_MS = 10 * 60_000;
const POLL_MS = 2000;
const PERIOD_MS = 7 * 86_400_000;

const loadAlerts = (review: (typeof STATES)[number]) =>
  read(api.GET("/v1/alerts", { params: { query: { review, limit: 100, since: new Date(Date.now() - PERIOD_MS).toISOString() } } }));

export function AlertsPage({ id }: { id: string }) {
  const [state, setState] = useState<string>("open");
  const [chosenId, setChosenId] = useState(id);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const review = state as (typeof STATES)[number];
  const { newest } = useNewest(POLL_MS);
  const loaded = useLoaded(() => loadAlerts(review), [state, newest?.alert]);
  const alerts = loaded.data?.items ?? [];
  const index = Math.max(0, alerts.findIndex((one) => one.id === chosenId));
  const chosen = alerts[index];
  const { busy, problem, run } = useAction();
  useEffect(() => {
    if (id) setChosenId(id);
  }, [id]);
  useEffect(() => document.querySelector(".queue [aria-current=true]")?.scrollIntoView({ block: "nearest" }), [chosen?.id]);

  const move = (step: number) => setChosenId(alerts[Math.max(0, Math.min(alerts.length - 1, index + step))]?.id ?? "");
  const decide = (decision: Decision, targets: readonly string[]) =>
    run(async () => {
      const next = alerts.slice(index).find((one) => !targets.includes(one.id)) ?? alerts.find((one) => !targets.includes(one.id));
      try {
        for (const alert of targets) await read(api.POST("/v1/alerts/{alert}/reviews", { params: { path: { alert } }, body: { decision } }));
        setChosenId(next?.id ?? "");
        setSelected(new Set());
      } finally {
        await loaded.reload();
      }
    });
  const mayReview = can("review-alert") && state === "open";
  const decideChosen = (decision: Decision) => chosen && mayReview && !busy && !hasReviewed(chosen) && void decide(decision, [chosen.id]);
  useKeys({ j: () => move(1), k: () => move(-1), c: () => decideChosen("confirm"), d: () => decideChosen("dismiss"), n: () => decideChosen("not-this-person") });
  const toggle = (alert: string) => setSelected((before) => new Set(before.has(alert) ? [...before].filter((one) => one !== alert) : [...before, alert]));

  return (
    <>
      <PageHeader title={t("page.alerts")} lead={t("alerts.keys")}>
        <Choice label={t("alerts.state")} value={state} options={STATES.map((one) => [one, tValue("review", one)] as const)} onChange={setState} />
      </PageHeader>
      <ProblemNote problem={problem} />
      {selected.size > 0 && mayReview && (
        <div class="bulk" role="region" aria-label={t("alerts.bulk")}>
          <span>{t("alerts.selected", { count: selected.size })}</span>
          <Button disabled={busy} onClick={() => void decide("confirm", [...selected])}>{t("alerts.confirm")}</Button>
          <Button disabled={busy} onClick={() => void decide("dismiss", [...selected])}>{t("alerts.dismiss")}</Button>
          <Button kind="quiet" onClick={() => setSelected(new Set())}>{t("common.cancel")}</Button>
        </div>
      )}
      <Load of={loaded}>
        {() =>
          !chosen ? (
            <Empty icon="alerts" title={state === "open" ? t("alerts.empty") : t("alerts.none")}>{state === "open" && t("alerts.empty_hint")}</Empty>
          ) : (
            <div class="split">
              <ul class="queue">
                {alerts.map((one) => (
                  <QueueRow key={one.id} alert={one} current={one.id === chosen.id} onChoose={() => setChosenId(one.id)} selected={selected.has(one.id)} onSelect={mayReview ? () => toggle(one.id) : undefined} />
                ))}
              </ul>
              <AlertDetails key={chosen.id} alert={chosen} busy={busy} onDecide={mayReview ? (decision) => void decide(decision, [chosen.id]) : undefined} />
            </div>
          )
        }
      </Load>
    </>
  );
}

const subjectOf = (alert: Alert): string =>
  alert.subject_erased ? t("person.erased") : (alert.subject_name ?? (alert.status === "known" ? alert.subject : tValue("status", alert.status)));

const hasReviewed = (alert: Alert): boolean => alert.reviews.some((one) => one.reviewer === currentCaller()?.caller);

interface QueueRowProps {
  alert: Alert;
  current: boolean;
  selected: boolean;
  onChoose: () => void;
  onSelect?: (() => void) | undefined;
}

function QueueRow({ alert, current, selected, onChoose, onSelect }: QueueRowProps) {
  const now = useNow();
  return (
    <li class={`queue-row ${alert.severity}`} aria-current={current}>
      {onSelect && <input type="checkbox" checked={selected} onChange={onSelect} aria-label={t("alerts.select", { subject: subjectOf(alert) })} />}
      <button type="button" class="plain row" onClick={onChoose}>
        <Thumbnail id={alert.sighting} url={alert.thumbnail_url} alt="" />
        <span class="grow">
          <strong>{subjectOf(alert)}</strong>
          <small class="muted">{alert.rule}</small>
          <small class="muted">
            {alert.source} · {formatAge(alert.last_at, now)}
            {alert.drop_count > 1 && ` · ×${alert.drop_count}`}
          </small>
        </span>
      </button>
    </li>
  );
}

interface AlertDetailsProps {
  alert: Alert;
  busy: boolean;
  onDecide: ((decision: Decision) => void) | undefined;
}

function AlertDetails({ alert, busy, onDecide }: AlertDetailsProps) {
  const drop = useLoaded(() => loadDrop(alert.drop), [alert.drop]);
  const sighting = drop.data?.sightings?.find((one) => one.id === alert.sighting);
  const reviewed = hasReviewed(alert);
  return (
    <article class="panel stack">
      <header class="row wrap">
        <h2 class="grow">{subjectOf(alert)}</h2>
        <Pill kind="severity" value={alert.severity} />
        <Pill kind="review" value={alert.review} />
      </header>
      <div class="faces">
        <figure>
          <Thumbnail id={alert.sighting} url={alert.thumbnail_url} alt={t("alerts.probe")} />
          <figcaption>{t("alerts.probe")}</figcaption>
        </figure>
        {alert.subject.startsWith("p-") && <EnrolledFace alert={alert} />}
        <div class="stack grow">
          {sighting && (
            <div class="row">
              <small class="muted">{t("alerts.score")}</small>
              <Score score={sighting.score} threshold={sighting.threshold} status={sighting.status} />
            </div>
          )}
          <Facts
            rows={[
              [t("alerts.rule"), alert.rule],
              [t("common.source"), alert.source],
              [t("common.time"), formatTime(alert.at)],
              alert.drop_count > 1 ? [t("alerts.repeats"), t("alerts.repeated", { count: alert.drop_count, time: formatTime(alert.last_at) })] : null,
              alert.required_reviewers > 1 ? [t("alerts.reviewers"), t("alerts.agree", { count: alert.required_reviewers, done: alert.reviews.length })] : null,
              ...alert.reviews.map((one) => [one.reviewer, `${tValue("decision", one.decision)} · ${formatTime(one.at)}`] as const),
            ]}
          />
        </div>
      </div>
      {onDecide && reviewed && <p class="note">{t("alerts.second_review")}</p>}
      {onDecide && !reviewed && (
        <div class="row wrap">
          <Button kind="primary" disabled={busy} hint="c" onClick={() => onDecide("confirm")}>{t("alerts.confirm")}<kbd>c</kbd></Button>
          <Button disabled={busy} hint="d" onClick={() => onDecide("dismiss")}>{t("alerts.dismiss")}<kbd>d</kbd></Button>
          <Button disabled={busy} hint="n" onClick={() => onDecide("not-this-person")}>{t("alerts.not_this_person")}<kbd>n</kbd></Button>
        </div>
      )}
      <Load of={drop}>{(found) => frameOf(found, alert.sighting)}</Load>
      <Context alert={alert} />
    </article>
  );
}

/** The person's sighting with the highest score so far, for the eye to compare. */
function EnrolledFace({ alert }: { alert: Alert }) {
  const person = alert.subject;
  const found = useLoaded(async () => {
    const page = await read(api.GET("/v1/sightings", { params: { query: { person, limit: 50 } } }));
    const others = page.items.filter((one) => one.id !== alert.sighting && one.status === "known");
    return others.sort((a, b) => (b.score ?? 0) - (a.score ?? 0))[0] ?? null;
  }, [person]);
  return (
    <figure>
      <Thumbnail id={found.data?.id ?? "none"} url={found.data?.thumbnail_url} alt={t("alerts.reference")} />
      <figcaption>{t("alerts.reference")}</figcaption>
    </figure>
  );
}

/** Photos of the same source before and after the alert. */
function Context({ alert }: { alert: Alert }) {
  const [open, setOpen] = useState<Drop>();
  const at = Date.parse(alert.at);
  const iso = (moment: number) => new Date(moment).toISOString();
  const found = useLoaded(async () => {
    const query = { source: alert.source, since: iso(at - CONTEXT_MS), until: iso(at + CONTEXT_MS), limit: 25, state: "done" as const };
    const page = await read(api.GET("/v1/drops", { params: { query } }));
    const others = page.items.filter((one) => one.id !== alert.drop).reverse();
    const before = others.filter((one) => Date.parse(one.at) <= at).slice(-4);
    return [...before, ...others.filter((one) => Date.parse(one.at) > at).slice(0, 4)];
  }, [alert.id]);
  if (!found.data?.length) return null;
  return (
    <section>
      <h3>{t("alerts.context")}</h3>
      <div class="filmstrip">
        {found.data.map((one) => (
          <button type="button" class="plain" key={one.id} onClick={() => setOpen(one)}>
            <Thumbnail id={one.id} url={one.thumbnail_url} alt={formatTime(one.at)} />
            <small class="muted">{Math.round((Date.parse(one.at) - at) / 1000)} s</small>
          </button>
        ))}
      </div>
      {open && <DropDialog id={open.id} onClose={() => setOpen(undefined)} />}
    </section>
  );
}
