/** People whom nobody enrolled: grouped by likeness, and enrolled from a sighting when somebody knows who it is. */
import { useState } from "preact/hooks";
import { type Person, type SearchHit, type Sighting, api, fetchThumbnail, read, sendImage } from "../api";
import { Button, Choice, Dialog, Empty, Field, Load, PageHeader, ProblemNote } from "../components/basics";
import { DropDialog } from "../components/drop_dialog";
import { Thumbnail } from "../components/photos";
import { useAction, useLoaded, useNow } from "../hooks";
import { can } from "../session";
import { formatAge, t } from "../texts";

const DAYS = ["1", "3", "7"] as const;
const DAY_MS = 86_400_000;
const MAX_SEARCHES = 12;

/** Sightings of what is probably one person; the first is the newest. */
type Group = readonly Sighting[];

export function UnknownsPage() {
  const [days, setDays] = useState("1");
  const [source, setSource] = useState("");
  const [enrolling, setEnrolling] = useState<Sighting>();
  const [open, setOpen] = useState<string>();
  const now = useNow(30_000);
  const loaded = useLoaded(async () => {
    const since = new Date(Date.now() - Number(days) * DAY_MS).toISOString();
    const page = await read(api.GET("/v1/sightings", { params: { query: { status: "unknown", source: source || undefined, since, limit: 100 } } }));
    return groupByLikeness(page.items);
  }, [days, source]);
  const sources = [...new Set(loaded.data?.flat().map((one) => one.source))].sort();
  return (
    <>
      <PageHeader title={t("page.unknowns")} lead={t("unknowns.lead")}>
        <Choice label={t("common.source")} value={source} options={[["", t("common.all_sources")], ...sources.map((one) => [one, one] as const)]} onChange={setSource} />
        <Choice label={t("unknowns.period")} value={days} options={DAYS.map((one) => [one, t("common.days", { count: one })] as const)} onChange={setDays} />
      </PageHeader>
      <Load of={loaded}>
        {(groups) =>
          groups.length === 0 ? (
            <Empty icon="unknowns" title={t("unknowns.empty")}>{t("unknowns.empty_hint")}</Empty>
          ) : (
            <div class="cards">
              {groups.map((group) => (
                <GroupCard key={group[0]?.id} group={group} now={now} onOpen={setOpen} onEnrol={can("enrol-photo") ? setEnrolling : undefined} />
              ))}
            </div>
          )
        }
      </Load>
      {open && <DropDialog id={open} onClose={() => setOpen(undefined)} />}
      {enrolling && <EnrolDialog sighting={enrolling} onClose={() => setEnrolling(undefined)} />}
    </>
  );
}

interface GroupCardProps {
  group: Group;
  now: number;
  onOpen: (drop: string) => void;
  onEnrol: ((sighting: Sighting) => void) | undefined;
}

function GroupCard({ group, now, onOpen, onEnrol }: GroupCardProps) {
  const [newest] = group;
  if (!newest) return null;
  const best = [...group].sort((a, b) => (b.quality ?? 0) - (a.quality ?? 0))[0] ?? newest;
  return (
    <article class="card">
      <button type="button" class="plain" onClick={() => onOpen(best.drop)} aria-label={t("live.open", { source: best.source })}>
        <Thumbnail id={best.id} url={best.thumbnail_url} alt={t("status.unknown")} />
      </button>
      <div class="card-body">
        <strong>{t("unknowns.times", { count: group.length })}</strong>
        <p class="muted small">{[...new Set(group.map((one) => one.source))].join(", ")} · {formatAge(newest.at, now)}</p>
        {group.length > 1 && (
          <div class="filmstrip tiny">
            {group.slice(0, 5).map((one) => (
              <button type="button" class="plain" key={one.id} onClick={() => onOpen(one.drop)} aria-label={formatAge(one.at, now)}>
                <Thumbnail id={one.id} url={one.thumbnail_url} alt="" />
              </button>
            ))}
          </div>
        )}
        {onEnrol && <Button onClick={() => onEnrol(best)}>{t("unknowns.enrol")}</Button>}
      </div>
    </article>
  );
}

/**
 * Groups sightings whose faces are similar. Only sources with `store_unknown_faces` keep faces to compare with;
 * sightings of others, and those beyond the first searches, stay alone.
 */
async function groupByLikeness(sightings: readonly Sighting[]): Promise<Group[]> {
  const left = new Map(sightings.map((one) => [one.id, one]));
  const groups: Group[] = [];
  const withoutFaces = new Set<string>();
  let searches = can("search-sightings") ? MAX_SEARCHES : 0;
  for (const one of sightings) {
    if (!left.delete(one.id)) continue;
    const searchable = left.size > 0 && one.thumbnail_url && !withoutFaces.has(one.source) && searches-- > 0;
    const hits = searchable ? await similarTo(one.thumbnail_url ?? "") : [];
    if (searchable && !hits.some((hit) => hit.sighting === one.id)) withoutFaces.add(one.source);
    const alike = hits.flatMap((hit) => left.get(hit.sighting) ?? []);
    alike.forEach((other) => left.delete(other.id));
    groups.push([one, ...alike]);
  }
  return groups;
}

async function similarTo(thumbnail: string): Promise<readonly SearchHit[]> {
  const found = await fetchThumbnail(thumbnail)
    .then((face) => sendImage<{ items: SearchHit[] }>("/v1/sightings/search", face))
    .catch(() => undefined);
  return found?.items ?? [];
}

function EnrolDialog({ sighting, onClose }: { sighting: Sighting; onClose: () => void }) {
  const [name, setName] = useState("");
  const [done, setDone] = useState<string>();
  const { busy, problem, run } = useAction();
  const people = useLoaded(() => read(api.GET("/v1/people", { params: { query: { limit: 100 } } })), []);
  const known = people.data?.items.find((one: Person) => one.name === name.trim());
  const enrol = () =>
    run(async () => {
      const face = await fetchThumbnail(sighting.thumbnail_url ?? "");
      const person = known?.id ?? (await read(api.POST("/v1/people", { body: { name, gallery: "default", tags: [] } }))).id;
      await sendImage(`/v1/people/${person}/photos`, face);
      setDone(person);
    });
  return (
    <Dialog title={t("unknowns.enrol")} onClose={onClose}>
      <form class="stack" onSubmit={(event) => (event.preventDefault(), void enrol())}>
        <div class="centered"><Thumbnail id={sighting.id} url={sighting.thumbnail_url} alt={t("unknowns.photo")} /></div>
        <p class="muted">{t("unknowns.photo")}</p>
        <Field label={t("unknowns.who")}>
          <input value={name} required maxLength={100} list="known" autofocus onInput={(event) => setName(event.currentTarget.value)} />
        </Field>
        <datalist id="known">{people.data?.items.map((one) => <option key={one.id} value={one.name} />)}</datalist>
        <ProblemNote problem={problem} />
        {done ? (
          <p class="good-text" role="status">{t("enrol.enrolled")} <a href={`#/people/${done}`}>{name}</a></p>
        ) : (
          <Button submit kind="primary" disabled={busy || !name.trim()}>{known ? t("unknowns.add_to", { name: known.name }) : t("unknowns.create")}</Button>
        )}
      </form>
    </Dialog>
  );
}
