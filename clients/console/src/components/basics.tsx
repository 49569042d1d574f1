/** Buttons, fields, notes, dialogs: what every page is made of. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { ApiProblem } from "../api";
import type { Loaded } from "../hooks";
import { t, tValue } from "../texts";
import { Icon, type IconName } from "./icons";

export function PageHeader({ title, lead, children }: { title: string; lead?: string; children?: ComponentChildren }) {
  return (
    <header class="page-header">
      <div>
        <h1>{title}</h1>
        {lead && <p class="muted">{lead}</p>}
      </div>
      <div class="tools">{children}</div>
    </header>
  );
}

interface ButtonProps {
  onClick?: (() => void) | undefined;
  kind?: "primary" | "danger" | "quiet";
  disabled?: boolean;
  icon?: IconName;
  hint?: string;
  submit?: boolean;
  pressed?: boolean;
  children?: ComponentChildren;
}

export function Button({ onClick, kind, disabled, icon, hint, submit, pressed, children }: ButtonProps) {
  return (
    <button
      type={submit ? "submit" : "button"}
      class={`button ${kind ?? ""} ${children ? "" : "square"}`}
      onClick={onClick}
      disabled={disabled ?? false}
      title={hint}
      aria-label={children ? undefined : hint}
      aria-pressed={pressed}
    >
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

export function Field({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <label class="field">
      <span>{label}</span>
      {children}
    </label>
  );
}

interface ChoiceProps {
  label: string;
  value: string;
  options: readonly (readonly [string, string])[];
  onChange: (value: string) => void;
}

export function Choice({ label, value, options, onChange }: ChoiceProps) {
  return (
    <select aria-label={label} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
      {options.map(([key, text]) => (
        <option key={key} value={key}>
          {text}
        </option>
      ))}
    </select>
  );
}

export function Pill({ kind, value, tone }: { kind: string; value: string; tone?: string }) {
  return <span class={`pill ${tone ?? value}`}>{tValue(kind, value)}</span>;
}

export function Empty({ icon, title, children }: { icon: IconName; title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <Icon name={icon} />
      <h2>{title}</h2>
      {children && <p class="muted">{children}</p>}
    </div>
  );
}

export function ProblemNote({ problem, retry }: { problem: ApiProblem | undefined; retry?: () => void }) {
  if (!problem) return null;
  const isOffline = problem.status === 0;
  return (
    <div class="note bad" role="alert">
      <div>
        <strong>{isOffline ? t("problem.offline") : problem.title}</strong>
        <p>{[problem.detail, isOffline ? t("problem.offline_remedy") : problem.remedy].filter(Boolean).join(" ")}</p>
      </div>
      {retry && <Button onClick={retry}>{t("common.retry")}</Button>}
    </div>
  );
}

/** Content when there are data, a problem when loading failed, and a placeholder of the same size before. */
export function Load<T>({ of, children }: { of: Loaded<T>; children: (data: T) => ComponentChildren }) {
  return (
    <>
      <ProblemNote problem={of.problem} retry={() => void of.reload()} />
      {of.data !== undefined ? children(of.data) : !of.problem && <div class="skeleton" aria-busy="true" />}
    </>
  );
}

interface DialogProps {
  title: string;
  onClose: () => void;
  wide?: boolean;
  children: ComponentChildren;
}

export function Dialog({ title, onClose, wide, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      ref={dialog}
      class={wide ? "wide" : ""}
      aria-label={title}
      onClose={onClose}
      onClick={(event) => event.target === dialog.current && onClose()}
    >
      <header>
        <h2>{title}</h2>
        <Button kind="quiet" icon="close" hint={t("common.close")} onClick={onClose} />
      </header>
      <div class="dialog-body">{children}</div>
    </dialog>
  );
}

export function Facts({ rows }: { rows: readonly (readonly [string, ComponentChildren] | false | null | undefined)[] }) {
  return (
    <dl class="facts">
      {rows.map(
        (row) =>
          row && (
            <div key={row[0]}>
              <dt>{row[0]}</dt>
              <dd>{row[1]}</dd>
            </div>
          ),
      )}
    </dl>
  );
}
