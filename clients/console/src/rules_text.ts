/** Changes of single rules in the text of rules.toml; everything else in the text, comments included, stays. */
import { type TomlTable, stringify } from "smol-toml";

export interface RuleCondition {
  status?: string[];
  tags?: string[];
  area?: string;
  hours?: string;
}

/** A `[[rules]]` table; keys that the form does not show are preserved. */
export interface Rule {
  name: string;
  severity?: string;
  window_s?: number;
  reviewers?: number;
  when?: RuleCondition;
}

export const rulesOf = (document: TomlTable): readonly Rule[] =>
  Array.isArray(document["rules"]) ? (document["rules"] as unknown as Rule[]) : [];

export function replaceRule(text: string, number: number, rule: Rule): string {
  return editBlock(text, number, () => formatRule(rule).split("\n"));
}

export function removeRule(text: string, number: number): string {
  const without = editBlock(text, number, () => []);
  return /^\s*\[\[rules\]\]/m.test(without) ? without : `rules = []\n${without}`;
}

export function addRule(text: string, rules: readonly Rule[]): string {
  const names = new Set(rules.map((one) => one.name));
  let number = rules.length + 1;
  while (names.has(`rule-${number}`)) number++;
  const base = text.replace(/^\s*rules\s*=\s*\[\s*\]\s*\n?/m, "").trimEnd();
  return `${base}\n\n${formatRule({ name: `rule-${number}`, when: { status: ["unknown"] } })}\n`;
}

function formatRule({ when, ...rule }: Rule): string {
  const inline = stringify((when ?? {}) as TomlTable).trim().split("\n").filter(Boolean).join(", ");
  return `[[rules]]\n${stringify(rule as TomlTable).trim()}${inline ? `\nwhen = { ${inline} }` : ""}`;
}

/** Replaces the lines of the n-th `[[rules]]` table, from its header to the blank or comment lines before the next one. */
function editBlock(text: string, number: number, edited: () => string[]): string {
  const lines = text.split("\n");
  const starts = lines.flatMap((line, index) => (/^\s*\[\[rules\]\]/.test(line) ? [index] : []));
  const start = starts[number];
  if (start === undefined) return text;
  const following = lines.findIndex((line, index) => index > start && /^\s*\[/.test(line) && !/^\s*\[\s*rules\./.test(line));
  let end = following === -1 ? lines.length : following;
  while (end > start + 1 && /^\s*(#.*)?$/.test(lines[end - 1] ?? "")) end--;
  return [...lines.slice(0, start), ...edited(), ...lines.slice(end)].join("\n");
}
