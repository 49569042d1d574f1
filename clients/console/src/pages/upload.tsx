/** Uploads files and folders, and follows each file to the end of its drop. */
import { useRef, useState } from "preact/hooks";
import { ApiProblem, type Drop, api, read, sendForm } from "../api";
import { Button, Choice, Empty, Field, PageHeader, Pill } from "../components/basics";
import { Bar } from "../components/charts";
import { DropDialog, loadDrop } from "../components/drop_dialog";
import { DropZone } from "../components/drop_zone";
import { nameOf } from "../components/photos";
import { useLoaded, useStored } from "../hooks";
import { formatBytes, t, tValue } from "../texts";

type Step = "waiting" | "sending" | "processing" | "done" | "rejected" | "quarantined" | "failed";
const PROGRESS: Readonly<Record<Step, number>> = { waiting: 0, sending: 0.3, processing: 0.7, done: 1, rejected: 1, quarantined: 1, failed: 1 };
const PARALLEL = 3;
const WAIT_S = 20;
const MAX_WAITS = 9;

interface Entry {
  file: File;
  step: Step;
  drop?: Drop;
  message?: string;
}

interface Target {
  source: string;
  lane: "live" | "bulk";
  model: string;
}

export function UploadPage() {
  const [entries, setEntries] = useState<Entry[]>([]);
  const [source, setSource] = useStored("vigil.source", "upload");
  const [lane, setLane] = useState("live");
  const [model, setModel] = useState("faces");
  const [open, setOpen] = useState<string>();
  const all = useRef<Entry[]>([]);
  const running = useRef(0);
  const models = useLoaded(() => read(api.GET("/v1/models")), []);

  const show = () => setEntries([...all.current]);
  const start = (target: Target) => {
    while (running.current < PARALLEL) {
      const next = all.current.find((one) => one.step === "waiting");
      if (!next) return;
      running.current++;
      void uploadEntry(next, target, show).finally(() => {
        running.current--;
        show();
        start(target);
      });
    }
  };
  const add = (files: readonly File[]) => {
    all.current = [...all.current, ...files.map((file) => ({ file, step: "waiting" as const }))];
    show();
    start({ source, lane: lane as Target["lane"], model });
  };
  const ended = entries.filter((one) => PROGRESS[one.step] === 1).length;
  return (
    <>
      <PageHeader title={t("page.upload")} lead={t("upload.lead")}>
        {ended > 0 && ended === entries.length && (
          <Button onClick={() => ((all.current = []), show())}>{t("upload.clear")}</Button>
        )}
      </PageHeader>
      <form class="row wrap" onSubmit={(event) => event.preventDefault()}>
        <Field label={t("common.source")}>
          <input value={source} pattern="[A-Za-z0-9][A-Za-z0-9_.\-]*" maxLength={63} required onInput={(event) => setSource(event.currentTarget.value)} />
        </Field>
        <Field label={t("common.model")}>
          <Choice label={t("common.model")} value={model} options={(models.data?.items ?? [{ name: "faces" }]).map((one) => [one.name, one.name] as const)} onChange={setModel} />
        </Field>
        <Field label={t("upload.lane")}>
          <Choice label={t("upload.lane")} value={lane} options={[["live", t("upload.live")], ["bulk", t("upload.bulk")]]} onChange={setLane} />
        </Field>
      </form>
      <DropZone onFiles={add} folders label={t("upload.drop")} />
      {entries.length === 0 ? (
        <Empty icon="upload" title={t("upload.empty")}>{t("upload.empty_hint")}</Empty>
      ) : (
        <>
          <div class="row total" role="status">
            <Bar share={ended / entries.length} />
            <span>{t("upload.total", { ended, count: entries.length })}</span>
          </div>
          <table class="list">
            <tbody>
              {entries.map((one, number) => (
                <EntryRow key={number} entry={one} onOpen={() => setOpen(one.drop?.id)} />
              ))}
            </tbody>
          </table>
        </>
      )}
      {open && <DropDialog id={open} onClose={() => setOpen(undefined)} />}
    </>
  );
}

function EntryRow({ entry, onOpen }: { entry: Entry; onOpen: () => void }) {
  const people = (entry.drop?.sightings ?? []).map(nameOf).join(", ");
  const tone = entry.step === "done" ? "good" : PROGRESS[entry.step] === 1 ? "bad" : "";
  return (
    <tr>
      <td class="grow">
        {entry.drop ? (
          <button type="button" class="link" onClick={onOpen}>{entry.file.name}</button>
        ) : (
          entry.file.name
        )}
        <small class="muted"> {formatBytes(entry.file.size)}</small>
      </td>
      <td class="wide-only"><Bar share={PROGRESS[entry.step]} tone={tone} /></td>
      <td><Pill kind="state" value={entry.step} tone={tone || "info"} /></td>
      <td>{entry.message ?? (entry.step === "done" ? people || t("photo.no_face") : "")}</td>
    </tr>
  );
}

async function uploadEntry(entry: Entry, target: Target, show: () => void): Promise<void> {
  const enter = (step: Step, message?: string) => (Object.assign(entry, { step, message }), show());
  try {
    enter("sending");
    const suffix = /\.[A-Za-z0-9]{1,8}$/.exec(entry.file.name)?.[0].toLowerCase() ?? "";
    const form = await read(api.POST("/v1/uploads", { body: { ...target, suffix } }));
    if (entry.file.size > form.max_bytes) return enter("failed", t("upload.too_large", { limit: formatBytes(form.max_bytes) }));
    await sendForm(form, entry.file);
    enter("processing");
    const ended = await waitForDrop(form.id);
    if (!ended) return enter("failed", t("upload.not_arrived"));
    entry.drop = ended;
    enter(ended.state === "claimed" ? "processing" : ended.state, ended.message ?? (ended.reason ? tValue("reason", ended.reason) : undefined));
  } catch (failure) {
    if (!(failure instanceof ApiProblem)) throw failure;
    enter("failed", failure.status ? `${failure.title}. ${failure.detail}` : t("problem.offline"));
  }
}

/** The drop of an upload when it has ended; undefined if the file has not arrived. */
async function waitForDrop(upload: string): Promise<Drop | undefined> {
  for (let round = 0; round < MAX_WAITS; round++) {
    const status = await read(api.GET("/v1/uploads/{upload}", { params: { path: { upload }, query: { wait: WAIT_S } } }));
    if (status.drop && status.state && status.state !== "claimed") return loadDrop(status.drop);
    if (!status.drop) return undefined;
  }
  return undefined;
}
