/** A photo of one face in, similar sightings out; the search is written to the audit log. */
import { useEffect, useState } from "preact/hooks";
import { type SearchHit, api, read, sendImage } from "../api";
import { Empty, PageHeader, ProblemNote } from "../components/basics";
import { Score } from "../components/charts";
import { DropDialog } from "../components/drop_dialog";
import { DropZone } from "../components/drop_zone";
import { Thumbnail } from "../components/photos";
import { useAction, useNow } from "../hooks";
import { currentCaller } from "../session";
import { formatAge, formatTime, t, tValue } from "../texts";

interface Found {
  people: { person: string; name: string; score: number; threshold: number | null; status: string }[];
  hits: readonly SearchHit[];
  since: string;
}

interface Prediction {
  sightings: { status: string; label: string; score?: number | null; threshold?: number | null }[];
}

async function search(photo: File): Promise<Found> {
  const [prediction, unknown] = await Promise.all([
    sendImage<Prediction>("/v1/predict/faces", photo),
    sendImage<{ items: SearchHit[]; searched_since: string }>("/v1/sightings/search", photo),
  ]);
  const known = prediction.sightings.filter((one) => one.status === "known");
  const people = await Promise.all(
    known.map(async (one) => {
      const person = await read(api.GET("/v1/people/{person}", { params: { path: { person: one.label } } })).catch(() => undefined);
      return { person: one.label, name: person?.name ?? one.label, score: one.score ?? 0, threshold: one.threshold ?? null, status: one.status };
    }),
  );
  return { people, hits: unknown.items, since: unknown.searched_since };
}

export function SearchPage() {
  const [photo, setPhoto] = useState<File>();
  const [url, setUrl] = useState("");
  const [found, setFound] = useState<Found>();
  const [open, setOpen] = useState<string>();
  const { busy, problem, run } = useAction();
  const now = useNow(30_000);
  useEffect(() => () => URL.revokeObjectURL(url), [url]);
  const choose = ([chosen]: readonly File[]) => {
    if (!chosen) return;
    setPhoto(chosen);
    setUrl(URL.createObjectURL(chosen));
    setFound(undefined);
    void run(async () => setFound(await search(chosen)));
  };
  return (
    <>
      <PageHeader title={t("page.search")} lead={t("search.lead")} />
      <div class="split even">
        <div class="stack">
          <DropZone label={t("search.drop")} onFiles={choose} />
          {photo && <img class="probe" src={url} alt={photo.name} />}
          <p class="note">{t("search.audit", { caller: currentCaller()?.caller ?? "" })}</p>
        </div>
        <div class="stack" aria-live="polite">
          <ProblemNote problem={problem} />
          {busy && <div class="skeleton" aria-busy="true" />}
          {!photo && <Empty icon="search" title={t("search.empty")}>{t("search.empty_hint")}</Empty>}
          {found && (
            <>
              <h3>{t("search.people")}</h3>
              {found.people.length === 0 && <p class="muted">{t("search.nobody")}</p>}
              {found.people.map((one) => (
                <a class="panel row" key={one.person} href={`#/people/${one.person}`}>
                  <strong class="grow">{one.name}</strong>
                  <Score score={one.score} threshold={one.threshold} status={one.status} />
                </a>
              ))}
              <h3>{t("search.sightings")}</h3>
              <p class="muted small">{t("search.since", { time: formatTime(found.since) })}</p>
              {found.hits.length === 0 && <p class="muted">{t("search.no_hits")}</p>}
              <div class="cards small-cards">
                {found.hits.map((hit) => (
                  <button type="button" class="card plain" key={hit.sighting} onClick={() => setOpen(hit.drop)}>
                    <Thumbnail id={hit.sighting} url={hit.thumbnail_url} alt={tValue("status", "unknown")} />
                    <span class="card-body">
                      <Score score={hit.score} status="unknown" />
                      <small class="muted">{hit.source} · {formatAge(hit.at, now)}</small>
                    </span>
                  </button>
                ))}
              </div>
            </>
          )}
        </div>
      </div>
      {open && <DropDialog id={open} onClose={() => setOpen(undefined)} />}
    </>
  );
}
