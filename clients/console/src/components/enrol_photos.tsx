/** Enrols photos of a person; what is wrong with a refused photo is drawn on it. */
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiProblem, sendImage } from "../api";
import { t, tValue } from "../texts";
import { Button } from "./basics";
import { DropZone } from "./drop_zone";
import { BoxMark } from "./photos";

interface Attempt {
  url: string;
  name: string;
  state: "sending" | "enrolled" | "refused";
  size?: readonly number[];
  problem?: ApiProblem;
}

export function EnrolPhotos({ person }: { person: string }) {
  const [attempts, setAttempts] = useState<readonly Attempt[]>([]);
  const [camera, setCamera] = useState(false);
  const all = useRef<readonly Attempt[]>([]);
  useEffect(() => () => all.current.forEach((one) => URL.revokeObjectURL(one.url)), []);

  const put = (attempt: Attempt) => {
    const known = all.current.some((one) => one.url === attempt.url);
    all.current = known ? all.current.map((one) => (one.url === attempt.url ? attempt : one)) : [...all.current, attempt];
    setAttempts(all.current);
  };
  const enrol = async (photos: readonly File[]) => {
    for (const photo of photos) {
      const attempt: Attempt = { url: URL.createObjectURL(photo), name: photo.name, state: "sending" };
      put(attempt);
      put({ ...attempt, ...(await tryPhoto(person, photo)) });
    }
  };
  return (
    <section class="stack">
      <h3>{t("enrol.title")}</h3>
      <DropZone label={t("enrol.drop")} onFiles={(photos) => void enrol(photos)} />
      {"mediaDevices" in navigator && <div class="row"><Button onClick={() => setCamera(!camera)}>{camera ? t("enrol.camera_off") : t("enrol.camera")}</Button></div>}
      {camera && <Camera onPhoto={(photo) => void enrol([photo])} />}
      <div class="attempts" aria-live="polite">
        {attempts.map((one) => <AttemptCard key={one.url} attempt={one} />)}
      </div>
    </section>
  );
}

async function tryPhoto(person: string, photo: File): Promise<Partial<Attempt>> {
  const size = await createImageBitmap(photo).then((picture) => [picture.width, picture.height], () => undefined);
  try {
    await sendImage(`/v1/people/${person}/photos`, photo);
    return { state: "enrolled", size };
  } catch (failure) {
    if (!(failure instanceof ApiProblem)) throw failure;
    return { state: "refused", size, problem: failure };
  }
}

function AttemptCard({ attempt }: { attempt: Attempt }) {
  const { problem, size = [4, 3] } = attempt;
  return (
    <figure class={`attempt ${attempt.state}`}>
      <div class="frame" style={{ aspectRatio: `${size[0]} / ${size[1]}` }}>
        <img class="thumbnail" src={attempt.url} alt={attempt.name} />
        {attempt.size && problem?.boxes.map((box) => <BoxMark key={box.join()} box={box} size={size} tone="refused" />)}
      </div>
      <figcaption>
        {attempt.state === "sending" && t("enrol.sending")}
        {attempt.state === "enrolled" && <strong class="good-text">{t("enrol.enrolled")}</strong>}
        {problem && <strong class="bad-text">{problem.reason ? tValue("reason", problem.reason) : problem.title}</strong>}
        {problem && <small class="muted">{problem.detail || problem.remedy}</small>}
      </figcaption>
    </figure>
  );
}

function Camera({ onPhoto }: { onPhoto: (photo: File) => void }) {
  const video = useRef<HTMLVideoElement>(null);
  const [refused, setRefused] = useState(false);
  useEffect(() => {
    let stream: MediaStream | undefined;
    navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" } }).then(
      (opened) => {
        stream = opened;
        if (video.current) video.current.srcObject = opened;
      },
      () => setRefused(true),
    );
    return () => stream?.getTracks().forEach((track) => track.stop());
  }, []);
  const take = () => {
    const from = video.current;
    if (!from?.videoWidth) return;
    const canvas = new OffscreenCanvas(from.videoWidth, from.videoHeight);
    canvas.getContext("2d")?.drawImage(from, 0, 0);
    void canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 }).then((jpeg) => onPhoto(new File([jpeg], "camera.jpg", { type: "image/jpeg" })));
  };
  if (refused) return <p class="note bad">{t("enrol.no_camera")}</p>;
  return (
    <div class="stack">
      <video ref={video} autoplay muted playsInline />
      <Button kind="primary" onClick={take}>{t("enrol.take")}</Button>
    </div>
  );
}
