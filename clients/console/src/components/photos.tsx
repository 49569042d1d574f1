/** Pictures of the API: thumbnails, and frames with boxes. */
import { useState } from "preact/hooks";
import { type Box, type Drop, type Sighting, localPath } from "../api";
import { t, tValue } from "../texts";

const MAX_FAILURES = 6;
const RETRY_MS = 400;
const LINK_REUSE_MS = 240_000;
const links = new Map<string, { url: string; at: number }>();

/** The link that was first seen for a picture, while it is valid: a new one would load the picture again. */
function stableLink(id: string, url: string | null | undefined): string | undefined {
  const path = localPath(url);
  if (!path) return undefined;
  const known = links.get(id);
  if (known && Date.now() - known.at < LINK_REUSE_MS) return known.url;
  links.set(id, { url: path, at: Date.now() });
  return path;
}

interface ThumbnailProps {
  id: string;
  url: string | null | undefined;
  alt: string;
}

/** A small photo. The API computes it and answers 429 when all workers are busy, so it is tried again. */
export function Thumbnail({ id, url, alt }: ThumbnailProps) {
  const [failures, setFailures] = useState(0);
  const [waiting, setWaiting] = useState(false);
  const source = stableLink(id, url);
  const isGone = !source || failures >= MAX_FAILURES;
  if (isGone || waiting) return <div class="thumbnail none" role="img" aria-label={t("photo.none")} aria-busy={waiting && !isGone} />;
  const tryAgain = () => {
    setFailures(failures + 1);
    setWaiting(true);
    setTimeout(() => setWaiting(false), RETRY_MS * 2 ** failures * (0.5 + Math.random()));
  };
  return <img class="thumbnail" src={source} alt={alt} onError={tryAgain} />;
}

interface FrameProps {
  id: string;
  url: string | null | undefined;
  size: readonly number[] | null | undefined;
  sightings: readonly Sighting[];
  /** Of a sighting that is emphasized. */
  chosen?: string | undefined;
}

/** A whole photo with a box around each sighting. */
export function Frame({ id, url, size, sightings, chosen }: FrameProps) {
  const [width = 4, height = 3] = size ?? [];
  return (
    <div class={width < height ? "frame tall" : "frame"} style={{ aspectRatio: `${width} / ${height}` }}>
      <Thumbnail id={id} url={url} alt={sightings.map(nameOf).join(", ") || t("photo.no_face")} />
      {size &&
        sightings.map((one) => (
          <BoxMark key={one.id} box={one.box_px} size={size} tone={one.status} faded={!!chosen && chosen !== one.id} />
        ))}
    </div>
  );
}

interface BoxMarkProps {
  box: Box | null | undefined;
  size: readonly number[];
  tone: string;
  faded?: boolean;
}

export function BoxMark({ box, size, tone, faded }: BoxMarkProps) {
  const [left = 0, top = 0, right = 0, bottom = 0] = box ?? [];
  const [width = 1, height = 1] = size;
  if (!box) return null;
  const percent = (value: number, of: number) => `${(100 * value) / of}%`;
  const place = {
    left: percent(left, width),
    top: percent(top, height),
    width: percent(right - left, width),
    height: percent(bottom - top, height),
  };
  return <span class={`box ${tone} ${faded ? "faded" : ""}`} style={place} />;
}

export const nameOf = (one: Sighting): string =>
  one.subject_erased ? t("person.erased") : (one.person_name ?? (one.status === "known" ? one.label : tValue("status", one.status)));

/** The photo of a drop with its boxes. */
export const frameOf = (drop: Drop, chosen?: string) => (
  <Frame id={drop.id} url={drop.thumbnail_url} size={drop.size_px} sightings={drop.sightings ?? []} chosen={chosen} />
);
