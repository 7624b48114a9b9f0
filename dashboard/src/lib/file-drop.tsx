// Files that are dropped or pasted anywhere: a page that wants them takes them, and no page lets the browser open
// them in its place.
import { ImagePlus } from "lucide-react";
import { useEffect, useState, useSyncExternalStore } from "react";
import { droppedFiles } from "~/api/upload";

/** Who wants files. */
export interface Taker {
  /** Where they go: `Zora`. */
  into: string;
  /** What dropping does there, if it does not add the files. */
  says?: string | undefined;
  take: (files: File[]) => void;
}

/** A drag that says nothing for so long has gone. */
const GONE_MS = 600;

let taker: Taker | null = null;
const listeners = new Set<() => void>();

function setTaker(next: Taker | null): void {
  taker = next;
  for (const listener of listeners) listener();
}

/** Files that come while this page is shown are its own. */
export function useFileDrop(into: string, take: (files: File[]) => void, says?: string): void {
  useEffect(() => {
    const own = { into, take, says };
    setTaker(own);
    return () => {
      if (taker === own) setTaker(null);
    };
  }, [into, take, says]);
}

interface Props {
  /** A file came to a page that wants none. */
  onUnwanted: () => void;
}

/** Listens to the whole window, and shows where files will go. */
export function FileDrops({ onUnwanted }: Props) {
  const current = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => taker,
  );
  const [isOver, setOver] = useState(false);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    // A picture of the page itself is a file to the browser when it is dragged.
    let isOurs = false;
    const onDragStart = () => {
      isOurs = true;
    };
    const onDragEnd = () => {
      isOurs = false;
    };
    const leave = () => {
      clearTimeout(timer);
      setOver(false);
    };
    const onDragOver = (event: DragEvent) => {
      const files = hasFiles(event.dataTransfer) && !isOurs;
      // A text that is dragged into a field is typing.
      if (!files && isField(event.target)) return;
      event.preventDefault();
      if (event.dataTransfer) event.dataTransfer.dropEffect = files ? "copy" : "none";
      if (!files) return;
      setOver(true);
      clearTimeout(timer);
      timer = setTimeout(leave, GONE_MS);
    };
    const onDrop = (event: DragEvent) => {
      const files = hasFiles(event.dataTransfer) && !isOurs;
      if (!files && isField(event.target)) return;
      event.preventDefault();
      leave();
      if (!files || !event.dataTransfer) return;
      if (!taker) return onUnwanted();
      const { take } = taker;
      void droppedFiles(event.dataTransfer).then(take);
    };
    const onPaste = (event: ClipboardEvent) => {
      const files = [...(event.clipboardData?.files ?? [])];
      const hasText = event.clipboardData?.types.includes("text/plain");
      if (files.length === 0 || !taker || (hasText && isField(event.target))) return;
      event.preventDefault();
      taker.take(files.map(named));
    };
    window.addEventListener("dragstart", onDragStart);
    window.addEventListener("dragend", onDragEnd);
    window.addEventListener("dragenter", onDragOver);
    window.addEventListener("dragover", onDragOver);
    window.addEventListener("drop", onDrop);
    window.addEventListener("paste", onPaste);
    return () => {
      clearTimeout(timer);
      window.removeEventListener("dragstart", onDragStart);
      window.removeEventListener("dragend", onDragEnd);
      window.removeEventListener("dragenter", onDragOver);
      window.removeEventListener("dragover", onDragOver);
      window.removeEventListener("drop", onDrop);
      window.removeEventListener("paste", onPaste);
    };
  }, [onUnwanted]);
  if (!isOver || !current) return null;
  return (
    <div aria-hidden className="pointer-events-none fixed inset-0 z-50 grid place-items-center bg-scrim p-3">
      <div className="grid size-full place-items-center rounded-lg border-2 border-accent border-dashed">
        <p className="flex items-center gap-2 rounded-lg bg-raised px-5 py-3 font-medium text-base">
          <ImagePlus className="size-5 text-accent" />
          {current.says ?? `Drop to add to ${current.into}`}
        </p>
      </div>
    </div>
  );
}

function hasFiles(transfer: DataTransfer | null): boolean {
  return transfer?.types.includes("Files") ?? false;
}

/** Somewhere that text can be put. */
function isField(target: EventTarget | null): boolean {
  if (target instanceof HTMLTextAreaElement) return true;
  if (target instanceof HTMLInputElement)
    return !["checkbox", "radio", "file", "range"].includes(target.type);
  return target instanceof HTMLElement && target.isContentEditable;
}

/** Every picture of the clipboard is called `image.png`. */
function named(file: File, index: number): File {
  if (!/^image\.\w+$/.test(file.name)) return file;
  const time = new Date().toISOString().slice(0, 19).replaceAll(/\D/g, "");
  const ending = file.name.split(".").at(-1);
  return new File([file], `pasted-${time}${index > 0 ? `-${index}` : ""}.${ending}`, { type: file.type });
}
