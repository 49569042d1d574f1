/** The API as typed calls. Every failure is an ApiProblem with a title and a remedy to show. */
import createClient from "openapi-fetch";
import type { components, paths } from "./schema";
import { readToken } from "./session";

type Schemas = components["schemas"];
export type Alert = Schemas["AlertOut"];
export type Drop = Schemas["DropOut"];
export type Sighting = Schemas["SightingOut"];
export type Person = Schemas["PersonOut"];
export type Erasure = Schemas["ErasureOut"];
export type SearchHit = Schemas["SearchHitOut"];
export type Status = Schemas["SystemStatus"];
export type Rules = Schemas["RulesOut"];
export type DryRun = Schemas["DryRunResult"];
export type Newest = Schemas["NewestOut"];
export type Decision = Schemas["NewReview"]["decision"];
export type Box = readonly number[];

export class ApiProblem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly remedy: string,
    readonly detail = "",
    readonly reason = "",
    readonly boxes: readonly Box[] = [],
  ) {
    super(detail || title);
  }
}

/** The problem of a failed call; any other error is a mistake of the console and goes on. */
export function asProblem(failure: unknown): ApiProblem {
  if (failure instanceof ApiProblem) return failure;
  throw failure;
}

export const api = createClient<paths>({ baseUrl: "" });
api.use({
  onRequest({ request }) {
    authorize(request.headers);
    if (request.method !== "GET") request.headers.set("Idempotency-Key", crypto.randomUUID());
    return request;
  },
});

let onSignedOut: () => void = () => undefined;
export const whenSignedOut = (action: () => void): void => void (onSignedOut = action);

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The data of an answer. Throws ApiProblem. */
export async function read<T>(pending: Promise<Answer<T>>): Promise<T> {
  const answer = await pending.catch(() => {
    throw new ApiProblem(0, "offline", "");
  });
  if (answer.response.ok) return answer.data as T;
  throw toProblem(answer.response.status, answer.error);
}

/** Sends a picture as it is. */
export async function sendImage<T>(path: string, image: Blob): Promise<T> {
  const headers = new Headers({ "Content-Type": image.type || "application/octet-stream" });
  authorize(headers);
  headers.set("Idempotency-Key", crypto.randomUUID());
  const response = await fetch(path, { method: "POST", headers, body: image }).catch(() => {
    throw new ApiProblem(0, "offline", "");
  });
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok) return body as T;
  throw toProblem(response.status, body);
}

/** Sends a file with a form of the API. The bucket's answer cannot be read: the upload's state tells the end. */
export async function sendForm(form: Schemas["UploadForm"], file: Blob): Promise<void> {
  const body = new FormData();
  for (const [name, value] of Object.entries(form.fields)) body.append(name, value);
  body.append("file", file);
  await fetch(form.url, { method: "POST", body, mode: "no-cors" }).catch(() => {
    throw new ApiProblem(0, "offline", "");
  });
}

/** The path of a link of the API on this site, which forwards /v1 to the API. */
export function localPath(url: string | null | undefined): string | undefined {
  const at = url?.indexOf("/v1/") ?? -1;
  return url && at >= 0 ? url.slice(at) : undefined;
}

/** A thumbnail as a picture to send. */
export async function fetchThumbnail(url: string): Promise<Blob> {
  const response = await fetch(localPath(url) ?? url, { headers: { Accept: "image/jpeg" } });
  if (!response.ok) throw toProblem(response.status, await response.json().catch(() => undefined));
  return response.blob();
}

function authorize(headers: Headers): void {
  const token = readToken();
  if (token) headers.set("Authorization", `Bearer ${token}`);
}

function toProblem(status: number, body: unknown): ApiProblem {
  if (status === 401) onSignedOut();
  const problem = (typeof body === "object" && body !== null ? body : {}) as Partial<Schemas["Problem"]>;
  const { title = `HTTP ${status}`, remedy = "", detail = "", reason = "", boxes_px: boxes = [] } = problem;
  return new ApiProblem(status, title, remedy, detail, reason, boxes);
}
