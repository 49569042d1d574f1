/** A place for files: by dragging, by the file chooser, or from the camera. */
import { useRef, useState } from "preact/hooks";
import { t } from "../texts";
import { Button } from "./basics";
import { Icon } from "./icons";

interface DropZoneProps {
  label: string;
  onFiles: (files: readonly File[]) => void;
  /** Folders may be chosen and dropped too. */
  folders?: boolean;
}

export function DropZone({ label, onFiles, folders }: DropZoneProps) {
  const [over, setOver] = useState(false);
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const chosen = (event: Event) => {
    const input = event.currentTarget as HTMLInputElement;
    if (input.files?.length) onFiles([...input.files]);
    input.value = "";
  };
  const dropped = async (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    const found = await filesOf([...(event.dataTransfer?.items ?? [])]);
    if (found.length) onFiles(found);
  };
  return (
    <div
      class={`drop-zone ${over ? "over" : ""}`}
      onDragOver={(event) => (event.preventDefault(), setOver(true))}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => void dropped(event)}
    >
      <Icon name="upload" />
      <p>{label}</p>
      <div class="row wrap">
        <Button onClick={() => files.current?.click()}>{t("upload.choose_files")}</Button>
        {folders && <Button onClick={() => folder.current?.click()}>{t("upload.choose_folder")}</Button>}
      </div>
      <input ref={files} type="file" multiple hidden accept={folders ? undefined : "image/*"} aria-label={label} onChange={chosen} />
      {folders && <input ref={(element) => void (folder.current = withFolders(element))} type="file" hidden aria-label={t("upload.choose_folder")} onChange={chosen} />}
    </div>
  );
}

function withFolders(input: HTMLInputElement | null): HTMLInputElement | null {
  input?.setAttribute("webkitdirectory", "");
  return input;
}

async function filesOf(items: readonly DataTransferItem[]): Promise<File[]> {
  const entries = items.map((item) => item.webkitGetAsEntry());
  const found = await Promise.all(entries.map((entry) => (entry ? filesBelow(entry) : [])));
  return found.flat();
}

async function filesBelow(entry: FileSystemEntry): Promise<File[]> {
  if (entry.isFile) return [await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject))];
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: File[] = [];
  for (;;) {
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (!batch.length) return found;
    for (const one of batch) found.push(...(await filesBelow(one)));
  }
}
