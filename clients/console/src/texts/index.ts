/** The texts of the chosen language. */
import { en } from "./en";
import { zh } from "./zh";

export type TextKey = keyof typeof en;
export type Language = "en" | "zh";

const LANGUAGE_KEY = "vigil.language";
let language: Language = readLanguage();

function readLanguage(): Language {
  const stored = localStorage.getItem(LANGUAGE_KEY) ?? navigator.language;
  return stored.startsWith("zh") ? "zh" : "en";
}

export const currentLanguage = (): Language => language;

export function setLanguage(chosen: Language): void {
  language = chosen;
  localStorage.setItem(LANGUAGE_KEY, chosen);
  document.documentElement.lang = chosen;
}

/** A text; `{name}` is replaced by the value of that name. */
export function t(key: TextKey, values: Readonly<Record<string, string | number>> = {}): string {
  const text = (language === "zh" ? zh : en)[key];
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** The text of a value of the API, such as a state; the value itself if there is none. */
export function tValue(kind: string, value: string): string {
  const key = `${kind}.${value}`;
  return key in en ? t(key as TextKey) : value;
}

const units: [Intl.RelativeTimeFormatUnit, number][] = [["day", 86400], ["hour", 3600], ["minute", 60]];

export function formatAge(at: string, now: number): string {
  const seconds = Math.max(0, (now - Date.parse(at)) / 1000);
  const format = new Intl.RelativeTimeFormat(language, { numeric: "always", style: "narrow" });
  for (const [unit, size] of units) if (seconds >= size) return format.format(-Math.floor(seconds / size), unit);
  return seconds < 5 ? t("time.now") : format.format(-Math.floor(seconds), "second");
}

export function formatTime(at: string): string {
  return new Date(at).toLocaleString(language, { dateStyle: "medium", timeStyle: "medium" });
}

export const formatNumber = (value: number, digits = 0): string =>
  value.toLocaleString(language, { maximumFractionDigits: digits, minimumFractionDigits: digits });

export const formatPercent = (value: number, digits = 1): string =>
  value.toLocaleString(language, { style: "percent", maximumFractionDigits: digits });

export function formatSeconds(seconds: number): string {
  if (seconds < 120) return `${formatNumber(seconds, seconds > 0 && seconds < 10 ? 1 : 0)} s`;
  return seconds < 7200 ? `${formatNumber(seconds / 60)} min` : `${formatNumber(seconds / 3600, 1)} h`;
}

export function formatBytes(bytes: number): string {
  return bytes < 1e6 ? `${formatNumber(bytes / 1e3)} kB` : `${formatNumber(bytes / 1e6, 1)} MB`;
}
