/** Enrolled people: who they are, their galleries, the watch list, consent, photos and erasure. */
import { useEffect, useState } from "preact/hooks";
import { type Person, api, read } from "../api";
import { Button, Choice, Dialog, Empty, Field, Load, PageHeader, Pill, ProblemNote } from "../components/basics";
import { EnrolPhotos } from "../components/enrol_photos";
import { EraseDialog } from "../components/erase_dialog";
import { Score } from "../components/charts";
import { DropDialog } from "../components/drop_dialog";
import { Thumbnail, nameOf } from "../components/photos";
import { useAction, useLoaded, useNow, useSettled } from "../hooks";
import { can } from "../session";
import { formatAge, formatTime, t } from "../texts";

const TAG_FILTERS = ["", "watch", "review"] as const;

export function PeoplePage({ id }: { id: string }) {
  const [name, setName] = useState("");
  const query = useSettled(name);
  const [gallery, setGallery] = useState("");
  const [tag, setTag] = useState("");
  const [adding, setAdding] = useState(false);
  const [galleries, setGalleries] = useState<readonly string[]>([]);
  const people = useLoaded(async () => {
    const filters = { limit: 100, name: query || undefined, gallery: gallery || undefined, tag: tag || undefined };
    return (await read(api.GET("/v1/people", { params: { query: filters } }))).items.sort((a, b) => a.name.localeCompare(b.name));
  }, [query, gallery, tag]);
  useEffect(() => {
    const found = people.data?.map((one) => one.gallery) ?? [];
    setGalleries((before) => [...new Set([...before, ...found])].sort());
  }, [people.data]);
  return (
    <>
      <PageHeader title={t("page.people")} lead={t("people.lead")}>
        <input type="search" placeholder={t("people.find")} aria-label={t("people.find")} value={name} onInput={(event) => setName(event.currentTarget.value.trim())} />
        <Choice label={t("people.gallery")} value={gallery} options={[["", t("people.all_galleries")], ...galleries.map((one) => [one, one] as const)]} onChange={setGallery} />
        <Choice label={t("people.tag")} value={tag} options={TAG_FILTERS.map((one) => [one, t(`people.tag_${one || "all"}`)] as const)} onChange={setTag} />
        {can("create-person") && <Button kind="primary" onClick={() => setAdding(true)}>{t("people.add")}</Button>}
      </PageHeader>
      <Load of={people}>
        {(found) =>
          found.length === 0 ? (
            <Empty icon="people" title={name || tag || gallery ? t("people.none") : t("people.empty")}>{t("people.empty_hint")}</Empty>
          ) : (
            <div class="split">
              <ul class="queue">
                {found.map((one) => (
                  <li key={one.id} class="queue-row" aria-current={one.id === id}>
                    <a class="plain row" href={`#/people/${one.id}`}>
                      <span class="grow">
                        <strong>{one.name}</strong>
                        <small class="muted">{one.gallery}</small>
                      </span>
                      {one.watched && <Pill kind="tag" value="watch" tone="critical" />}
                      {one.tags.includes("review") && <Pill kind="tag" value="review" tone="warning" />}
                    </a>
                  </li>
                ))}
              </ul>
              {id ? <ChosenPerson key={id} id={id} onChange={people.reload} /> : <div class="panel hint muted">{t("people.choose")}</div>}
            </div>
          )
        }
      </Load>
      {adding && <NewPersonDialog galleries={galleries} onClose={() => setAdding(false)} onCreated={people.reload} />}
    </>
  );
}

function ChosenPerson({ id, onChange }: { id: string; onChange: () => Promise<void> }) {
  const person = useLoaded(() => read(api.GET("/v1/people/{person}", { params: { path: { person: id } } })), [id]);
  const reload = async () => void (await Promise.all([person.reload(), onChange()]));
  return <Load of={person}>{(found) => <PersonDetails person={found} reload={reload} onErased={onChange} />}</Load>;
}

interface PersonDetailsProps {
  person: Person;
  reload: () => Promise<void>;
  onErased: () => Promise<void>;
}

function PersonDetails({ person, reload, onErased }: PersonDetailsProps) {
  const [name, setName] = useState(person.name);
  const [erasing, setErasing] = useState(false);
  const { busy, problem, run } = useAction();
  const path = { params: { path: { person: person.id } } };
  const change = (action: () => Promise<unknown>) => void run(async () => void (await action(), await reload()));
  return (
    <article class="panel stack">
      <form class="inline-form" onSubmit={(event) => (event.preventDefault(), change(() => read(api.PATCH("/v1/people/{person}", { ...path, body: { name } }))))}>
        {can("rename-person") ? (
          <>
            <label class="field grow">
              <span>{t("people.name")}</span>
              <input value={name} required maxLength={100} onInput={(event) => setName(event.currentTarget.value)} />
            </label>
            <Button submit disabled={busy || name.trim() === person.name}>{t("people.rename")}</Button>
          </>
        ) : (
          <h2>{person.name}</h2>
        )}
      </form>
      <ProblemNote problem={problem} />
      <div class="switches">
        <Switch label={t("people.watched")} hint={t("people.watched_hint")} on={person.watched} allowed={can("watch-person")} busy={busy}
          onChange={(on) => change(() => read(on ? api.PUT("/v1/people/{person}/watch", path) : api.DELETE("/v1/people/{person}/watch", path)))} />
        <Switch label={t("people.consent")} hint={t("people.consent_hint")} on={person.training_consent} allowed={can("give-consent")} busy={busy}
          onChange={(on) => change(() => read(on ? api.PUT("/v1/people/{person}/consent", path) : api.DELETE("/v1/people/{person}/consent", path)))} />
      </div>
      {person.tags.includes("review") && (
        <div class="note">
          <p>{t("people.review_hint")}</p>
          {can("end-person-review") && <Button disabled={busy} onClick={() => change(() => read(api.DELETE("/v1/people/{person}/review", path)))}>{t("people.reviewed")}</Button>}
        </div>
      )}
      {can("enrol-photo") && <EnrolPhotos person={person.id} />}
      <PersonSightings person={person.id} />
      <footer class="row wrap">
        <small class="muted grow">
          {t("people.gallery")} {person.gallery} · {t("people.changed", { time: formatTime(person.changed_at) })} · <code>{person.id}</code>
        </small>
        {can("erase-person") && <Button kind="danger" onClick={() => setErasing(true)}>{t("people.erase")}</Button>}
      </footer>
      {erasing && <EraseDialog person={person} onClose={() => setErasing(false)} onErased={() => ((location.hash = "#/people"), void onErased())} />}
    </article>
  );
}

interface SwitchProps {
  label: string;
  hint: string;
  on: boolean;
  allowed: boolean;
  busy: boolean;
  onChange: (on: boolean) => void;
}

function Switch({ label, hint, on, allowed, busy, onChange }: SwitchProps) {
  return (
    <label class="switch">
      <input type="checkbox" role="switch" checked={on} disabled={!allowed || busy} onChange={(event) => onChange(event.currentTarget.checked)} />
      <span>
        {label}
        <small class="muted">{hint}</small>
      </span>
    </label>
  );
}

function PersonSightings({ person }: { person: string }) {
  const now = useNow(30_000);
  const [open, setOpen] = useState<string>();
  const found = useLoaded(() => read(api.GET("/v1/sightings", { params: { query: { person, limit: 12 } } })), [person]);
  return (
    <section>
      <h3>{t("people.sightings")}</h3>
      <Load of={found}>
        {({ items }) =>
          items.length === 0 ? (
            <p class="muted">{t("people.no_sightings")}</p>
          ) : (
            <div class="filmstrip">
              {items.map((one) => (
                <button type="button" class="plain" key={one.id} onClick={() => setOpen(one.drop)}>
                  <Thumbnail id={one.id} url={one.thumbnail_url} alt={nameOf(one)} />
                  <small class="muted">{one.source} · {formatAge(one.at, now)}</small>
                  <Score score={one.score} threshold={one.threshold} status={one.status} />
                </button>
              ))}
            </div>
          )
        }
      </Load>
      {open && <DropDialog id={open} onClose={() => setOpen(undefined)} />}
    </section>
  );
}

interface NewPersonDialogProps {
  galleries: readonly string[];
  onClose: () => void;
  onCreated: () => Promise<void>;
}

function NewPersonDialog({ galleries, onClose, onCreated }: NewPersonDialogProps) {
  const [name, setName] = useState("");
  const [gallery, setGallery] = useState("default");
  const [created, setCreated] = useState<string>();
  const { busy, problem, run } = useAction();
  const create = () =>
    run(async () => {
      const person = await read(api.POST("/v1/people", { body: { name, gallery, tags: [] } }));
      setCreated(person.id);
      await onCreated();
      location.hash = `#/people/${person.id}`;
    });
  return (
    <Dialog title={created ? t("people.add_photos", { name }) : t("people.add")} onClose={onClose}>
      {created ? (
        <>
          <EnrolPhotos person={created} />
          <Button kind="primary" onClick={onClose}>{t("common.done")}</Button>
        </>
      ) : (
        <form class="stack" onSubmit={(event) => (event.preventDefault(), void create())}>
          <Field label={t("people.name")}>
            <input value={name} required maxLength={100} autofocus onInput={(event) => setName(event.currentTarget.value)} />
          </Field>
          <Field label={t("people.gallery")}>
            <input value={gallery} required list="galleries" onInput={(event) => setGallery(event.currentTarget.value)} />
          </Field>
          <datalist id="galleries">{galleries.map((one) => <option key={one} value={one} />)}</datalist>
          <ProblemNote problem={problem} />
          <Button submit kind="primary" disabled={busy}>{t("common.continue")}</Button>
        </form>
      )}
    </Dialog>
  );
}
