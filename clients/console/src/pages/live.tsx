/** Sightings as they come: one card for each photo, newest first. */
import { useEffect, useRef, useState } from "preact/hooks";
import { type Alert, type Drop, type Sighting, api, read } from "../api";
import { Button, Choice, Empty, PageHeader, Pill, ProblemNote } from "../components/basics";
import { Score } from "../components/charts";
import { DropDialog } from "../components/drop_dialog";
import { Frame, Thumbnail, nameOf } from "../components/photos";
import { type Loaded, useLoaded, useNewest, useNow, useStored } from "../hooks";
import { formatAge, t, tValue } from "../texts";

const POLL_MS = 1000;
const PAGE_SIZE = 50;
const STATUSES = ["known", "unknown", "ambiguous", "unfit"] as const;
type SightingStatus = (typeof STATUSES)[number];

interface Feed {
  sightings: Sighting[];
  drops: ReadonlyMap<string, Drop>;
  alerts: Alert[];
}

interface Filters {
  source: string;
  status: string;
}

async function loadFeed({ source, status }: Filters): Promise<Feed> {
  const filters = { source: source || undefined, limit: PAGE_SIZE };
  const [sightings, drops, alerts] = await Promise.all([
    read(api.GET("/v1/sightings", { params: { query: { ...filters, status: (status || undefined) as SightingStatus | undefined } } })),
    read(api.GET("/v1/drops", { params: { query: { ...filters, state: "done" } } })),
    read(api.GET("/v1/alerts", { params: { query: { review: "open", limit: 5 } } })),
  ]);
  return { sightings: sightings.items, drops: new Map(drops.items.map((one) => [one.id, one])), alerts: alerts.items };
}

/** What the list shows; it is loaded again when an id of the newest rows changes. */
function useFeed(filters: Filters, paused: boolean, onAlert: () => void): Pick<Loaded<Feed>, "data" | "problem"> {
  const { newest, problem } = useNewest(paused ? 0 : POLL_MS);
  const key = newest && [newest.sighting, newest.alert].join();
  const feed = useLoaded(async () => (key === undefined ? undefined : loadFeed(filters)), [filters.source, filters.status, key]);
  const alert = useRef<string | undefined>(undefined);
  useEffect(() => {
    if (!newest) return;
    if (alert.current !== undefined && newest.alert && newest.alert !== alert.current) onAlert();
    alert.current = newest.alert ?? "";
  }, [newest]);
  return { data: feed.data, problem: problem ?? feed.problem };
}

export function LivePage() {
  const [filters, setFilters] = useState<Filters>({ source: "", status: "" });
  const [paused, setPaused] = useState(false);
  const [sound, setSound] = useStored("vigil.sound", "off");
  const [chosen, setChosen] = useState<Sighting>();
  const { data: feed, problem } = useFeed(filters, paused, () => localStorage.getItem("vigil.sound") === "on" && beep());
  const sources = useSources(feed);
  const cards = groupByDrop(feed?.sightings ?? []);
  return (
    <>
      <PageHeader title={t("page.live")} lead={paused ? t("live.paused") : t("live.lead")}>
        <Choice
          label={t("common.source")}
          value={filters.source}
          options={[["", t("common.all_sources")], ...sources.map((one) => [one, one] as const)]}
          onChange={(source) => setFilters({ ...filters, source })}
        />
        <Choice
          label={t("common.status")}
          value={filters.status}
          options={[["", t("common.all_statuses")], ...STATUSES.map((one) => [one, tValue("status", one)] as const)]}
          onChange={(status) => setFilters({ ...filters, status })}
        />
        <Button icon={sound === "on" ? "sound" : "mute"} hint={t("live.sound")} pressed={sound === "on"} onClick={() => setSound(sound === "on" ? "off" : "on")} />
        <Button icon={paused ? "play" : "pause"} pressed={paused} onClick={() => setPaused(!paused)}>
          {paused ? t("live.resume") : t("live.pause")}
        </Button>
      </PageHeader>
      <ProblemNote problem={problem} />
      <OpenAlerts alerts={feed?.alerts ?? []} />
      {!feed && !problem && <div class="skeleton" aria-busy="true" />}
      {feed && cards.length === 0 && (
        <Empty icon="live" title={t("live.empty")}>
          {t("live.empty_hint")}
        </Empty>
      )}
      <div class="cards">
        {cards.map((sightings) => (
          <SightingCard key={sightings[0]?.drop} sightings={sightings} drop={feed?.drops.get(sightings[0]?.drop ?? "")} onOpen={setChosen} />
        ))}
      </div>
      {chosen && <DropDialog id={chosen.drop} chosen={chosen.id} onClose={() => setChosen(undefined)} />}
    </>
  );
}

function useSources(feed: Feed | undefined): string[] {
  const seen = useRef(new Set<string>());
  feed?.sightings.forEach((one) => seen.current.add(one.source));
  return [...seen.current].sort();
}

function groupByDrop(sightings: readonly Sighting[]): Sighting[][] {
  const groups = new Map<string, Sighting[]>();
  for (const one of sightings) groups.set(one.drop, [...(groups.get(one.drop) ?? []), one]);
  return [...groups.values()];
}

function OpenAlerts({ alerts }: { alerts: readonly Alert[] }) {
  const now = useNow();
  if (alerts.length === 0) return null;
  return (
    <section class="alert-strip" aria-label={t("live.open_alerts")} aria-live="polite">
      {alerts.map((one) => (
        <a key={one.id} href={`#/alerts/${one.id}`} class={`alert-chip ${one.severity}`}>
          <Thumbnail id={one.sighting} url={one.thumbnail_url} alt="" />
          <span>
            <strong>{one.subject_name ?? tValue("status", one.status)}</strong>
            <small>
              {one.rule} · {one.source} · {formatAge(one.last_at, now)}
            </small>
          </span>
        </a>
      ))}
    </section>
  );
}

interface SightingCardProps {
  sightings: readonly Sighting[];
  drop: Drop | undefined;
  onOpen: (sighting: Sighting) => void;
}

function SightingCard({ sightings, drop, onOpen }: SightingCardProps) {
  const now = useNow();
  const first = sightings[0];
  if (!first) return null;
  return (
    <article class="card" data-drop={first.drop}>
      <button type="button" class="plain" onClick={() => onOpen(first)} aria-label={t("live.open", { source: first.source })}>
        {drop?.thumbnail_url ? (
          <Frame id={drop.id} url={drop.thumbnail_url} size={drop.size_px} sightings={sightings} />
        ) : (
          <Thumbnail id={first.id} url={first.thumbnail_url} alt={nameOf(first)} />
        )}
      </button>
      <div class="card-body">
        {sightings.slice(0, 4).map((one) => (
          <div class="sighting-row" key={one.id}>
            <i class={`dot ${one.status}`} title={tValue("status", one.status)} />
            <strong class={one.status === "known" ? "" : "muted"}>{nameOf(one)}</strong>
            <Score score={one.score} threshold={one.threshold} status={one.status} />
          </div>
        ))}
        {sightings.length > 4 && <small class="muted">{t("live.more", { count: sightings.length - 4 })}</small>}
        <p class="muted small">
          <span>
            {first.source} · <time dateTime={first.at}>{formatAge(first.at, now)}</time>
          </span>
          {first.tags.includes("watch") && <Pill kind="tag" value="watch" tone="critical" />}
        </p>
      </div>
    </article>
  );
}

function beep(): void {
  const audio = new AudioContext();
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  volume.gain.setValueAtTime(0.15, audio.currentTime);
  volume.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + 0.5);
  tone.frequency.value = 880;
  tone.connect(volume).connect(audio.destination);
  tone.start();
  tone.stop(audio.currentTime + 0.5);
}
