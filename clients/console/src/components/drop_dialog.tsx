/** One drop: its photo with boxes, who is on it, what happened to it, and its label. */
import { useState } from "preact/hooks";
import { type Drop, api, read } from "../api";
import { useAction, useLoaded } from "../hooks";
import { can } from "../session";
import { formatTime, t, tValue } from "../texts";
import { Button, Dialog, Facts, Load, Pill, ProblemNote } from "./basics";
import { Score } from "./charts";
import { frameOf, nameOf } from "./photos";

export const loadDrop = (drop: string): Promise<Drop> => read(api.GET("/v1/drops/{drop}", { params: { path: { drop } } }));

export function DropDialog({ id, chosen, onClose }: { id: string; chosen?: string; onClose: () => void }) {
  const loaded = useLoaded(() => loadDrop(id), [id]);
  return (
    <Dialog title={t("drop.title")} onClose={onClose} wide>
      <Load of={loaded}>{(drop) => <DropDetails drop={drop} chosen={chosen} />}</Load>
    </Dialog>
  );
}

function DropDetails({ drop, chosen }: { drop: Drop; chosen?: string | undefined }) {
  return (
    <div class="columns">
      <div>
        {frameOf(drop, chosen)}
        {drop.photo_url && (
          <p>
            <a href={drop.photo_url} target="_blank" rel="noreferrer">
              {t("drop.open_photo")}
            </a>
          </p>
        )}
      </div>
      <div class="stack">
        {(drop.sightings ?? []).map((one) => (
          <div class="sighting-row" key={one.id}>
            <Pill kind="status" value={one.status} />
            <strong>{nameOf(one)}</strong>
            <Score score={one.score} threshold={one.threshold} status={one.status} />
            {one.quality_issues.length > 0 && <small class="muted">{one.quality_issues.join(", ")}</small>}
          </div>
        ))}
        <Facts
          rows={[
            [t("drop.state"), <Pill kind="state" value={drop.state} />],
            drop.reason ? [t("drop.reason"), drop.message ?? drop.reason] : null,
            [t("common.source"), drop.source],
            [t("common.time"), formatTime(drop.at)],
            [t("common.model"), `${drop.model} ${drop.release ?? ""}`],
            drop.times_ms ? [t("drop.duration"), `${Math.round(Object.values(drop.times_ms).reduce((a, b) => a + b, 0))} ms`] : null,
            [t("common.id"), <code>{drop.id}</code>],
            ...(drop.actions ?? []).map((one) => [one.action, `${one.reason} · ${formatTime(one.at)}`] as const),
          ]}
        />
        {can("label-drop") && drop.state === "done" && <LabelForm drop={drop} />}
      </div>
    </div>
  );
}

/** Corrects what is on the photo: the label is used by the next training. */
function LabelForm({ drop }: { drop: Drop }) {
  const [label, setLabel] = useState(drop.sightings?.[0]?.label ?? "");
  const [saved, setSaved] = useState("");
  const { busy, problem, run } = useAction();
  const people = useLoaded(
    async () => (drop.model === "faces" && can("list-people") ? (await read(api.GET("/v1/people", { params: { query: { limit: 100 } } }))).items : []),
    [drop.model],
  );
  const save = () =>
    run(async () => {
      const body = { label };
      const done = await read(api.PUT("/v1/drops/{drop}/label", { params: { path: { drop: drop.id } }, body }));
      setSaved(done.label);
    });
  return (
    <form class="inline-form" onSubmit={(event) => (event.preventDefault(), void save())}>
      <label class="field grow">
        <span>{t("drop.label")}</span>
        <input value={label} list="labels" required onInput={(event) => setLabel(event.currentTarget.value)} />
      </label>
      <datalist id="labels">
        <option value="unknown">{tValue("status", "unknown")}</option>
        {people.data?.map((one) => (
          <option key={one.id} value={one.id}>
            {one.name}
          </option>
        ))}
      </datalist>
      <Button submit disabled={busy}>
        {t("common.save")}
      </Button>
      {saved && <p class="good-text" role="status">{t("drop.label_saved", { label: saved })}</p>}
      <ProblemNote problem={problem} />
    </form>
  );
}
