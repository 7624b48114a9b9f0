// Where pictures are dropped or chosen, with the progress of their upload.
import { ImagePlus } from "lucide-react";
import { type DragEvent, useRef, useState } from "react";
import { droppedFiles } from "~/api/upload";
import { Button } from "~/components/ui/button";
import { Progress } from "~/components/ui/progress";
import { cn } from "~/lib/cn";
import { formatBytes, formatPlural } from "~/lib/format";

export interface UploadState {
  n_files: number;
  bytes: number;
  /** From 0 to 1. */
  share: number;
}

interface Props {
  state: UploadState | null;
  large: boolean;
  onFiles: (files: File[]) => void;
  onCancel: () => void;
}

const ACCEPT = ".png,.jpg,.jpeg,.webp,.bmp,.gif,.tif,.tiff,.txt,.zip";

export function Dropzone({ state, large, onFiles, onCancel }: Props) {
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const drop = async (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    onFiles(await droppedFiles(event.dataTransfer));
  };
  return (
    <section
      aria-label="Add pictures"
      data-testid="dropzone"
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => void drop(event)}
      className={cn(
        "flex flex-wrap items-center gap-x-4 gap-y-2 rounded-lg border border-dashed px-4 transition-colors",
        large ? "min-h-72 flex-col justify-center py-10 text-center" : "py-3",
        over ? "border-accent bg-accent-soft" : "border-line-strong bg-surface",
      )}
    >
      <ImagePlus aria-hidden className={cn("shrink-0 text-accent", large ? "size-8" : "size-5")} />
      {state ? (
        <Uploading state={state} onCancel={onCancel} />
      ) : (
        <>
          <div className={cn(!large && "mr-auto")}>
            <p className="font-medium">Drop pictures, captions, folders or zips here</p>
            <p className="text-muted text-xs">
              PNG, JPEG, WebP and other pictures of at least 64 px; a <code>.txt</code> of the same name is
              its caption
            </p>
          </div>
          <Button variant={large ? "primary" : "outline"} onClick={() => input.current?.click()}>
            Choose files
          </Button>
        </>
      )}
      <input
        ref={input}
        type="file"
        multiple
        accept={ACCEPT}
        aria-label="Files to upload"
        tabIndex={-1}
        className="sr-only"
        onChange={(event) => {
          onFiles([...(event.target.files ?? [])]);
          event.target.value = "";
        }}
      />
    </section>
  );
}

function Uploading({ state, onCancel }: { state: UploadState; onCancel: () => void }) {
  const { n_files, bytes, share } = state;
  return (
    <div className="flex min-w-0 flex-1 items-center gap-4 self-stretch">
      <div className="min-w-0 flex-1">
        <p className="mb-1.5 flex justify-between gap-4">
          <span className="font-medium">
            {share < 1 ? "Uploading" : "Checking"} {formatPlural(n_files, "file")}
          </span>
          <span className="text-muted">
            {formatBytes(bytes * share)} of {formatBytes(bytes)}
          </span>
        </p>
        <Progress label="Upload" value={share} live className="h-2" />
      </div>
      <Button size="sm" onClick={onCancel}>
        Cancel
      </Button>
    </div>
  );
}
