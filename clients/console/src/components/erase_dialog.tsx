/** Erases a person after the name was typed, shows how far it is, and gives the signed receipt. */
import { useEffect, useState } from "preact/hooks";
import { type Erasure, type Person, api, read } from "../api";
import { useAction } from "../hooks";
import { t, tValue } from "../texts";
import { Button, Dialog, Facts, Field, ProblemNote } from "./basics";

const POLL_MS = 2000;

interface EraseDialogProps {
  person: Person;
  onClose: () => void;
  onErased: () => void;
}

export function EraseDialog({ person, onClose, onErased }: EraseDialogProps) {
  const [typed, setTyped] = useState("");
  const [erasure, setErasure] = useState<Erasure>();
  const { busy, problem, run } = useAction();
  const path = { params: { path: { person: person.id } } };
  useEffect(() => {
    if (erasure?.state !== "running") return;
    const timer = setTimeout(() => void run(async () => setErasure(await read(api.GET("/v1/people/{person}/erasure", path)))), POLL_MS);
    return () => clearTimeout(timer);
  }, [erasure]);
  const close = erasure ? onErased : onClose;
  const erase = () => run(async () => setErasure(await read(api.DELETE("/v1/people/{person}", path))));
  return (
    <Dialog title={t("erase.title", { name: person.name })} onClose={close}>
      <div class="stack">
        {!erasure && (
          <form class="stack" onSubmit={(event) => (event.preventDefault(), void erase())}>
            <p>{t("erase.what")}</p>
            <Field label={t("erase.confirm", { name: person.name })}>
              <input value={typed} autofocus autocomplete="off" onInput={(event) => setTyped(event.currentTarget.value)} />
            </Field>
            <Button submit kind="danger" disabled={busy || typed !== person.name}>{busy ? t("erase.running") : t("people.erase")}</Button>
          </form>
        )}
        <ProblemNote problem={problem} />
        {erasure && <ErasureResult erasure={erasure} />}
        {erasure?.state === "completed" && <Button kind="primary" onClick={close}>{t("common.done")}</Button>}
      </div>
    </Dialog>
  );
}

function ErasureResult({ erasure }: { erasure: Erasure }) {
  const counts = Object.entries(erasure.receipt?.erased ?? erasure.erased);
  const receipt = `data:application/json,${encodeURIComponent(JSON.stringify(erasure, null, 2))}`;
  return (
    <>
      <p role="status">
        <strong class={erasure.receipt ? "good-text" : ""}>{erasure.receipt ? t("erase.done") : t("erase.step", { step: erasure.step ?? "" })}</strong>
      </p>
      <Facts rows={counts.map(([kind, count]) => [tValue("erased", kind), String(count)] as const)} />
      {erasure.receipt && (
        <>
          <p class="muted">{t("erase.retained", { days: Math.max(0, ...Object.values(erasure.receipt.retained_days)) })}</p>
          <a class="button" href={receipt} download={`receipt-${erasure.person}.json`}>{t("erase.receipt")}</a>
        </>
      )}
    </>
  );
}
