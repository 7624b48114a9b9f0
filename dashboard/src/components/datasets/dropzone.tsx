// Where pictures are dropped or chosen, with the progress of their upload.
import { ImagePlus } from "lucide-react";
import { useRef } from "react";
import { describeError } from "~/api/problem";
import { Button } from "~/components/ui/button";
import { Progress } from "~/components/ui/progress";
import { cn } from "~/lib/cn";
import { formatBytes, formatPlural, formatSentence } from "~/lib/format";
import type { Batch, Uploads } from "~/uploads/uploads";

interface Props {
  uploads: Uploads;
  large: boolean;
  onFiles: (files: File[]) => void;
  onCancel: () => void;
  onRetry: () => void;
  onDismiss: () => void;
}

const ACCEPT = ".png,.jpg,.jpeg,.webp,.bmp,.gif,.tif,.tiff,.txt,.zip";

export function Dropzone({ uploads, large, onFiles, onCancel, onRetry, onDismiss }: Props) {
  const input = useRef<HTMLInputElement>(null);
  const { running, n_waiting, broken } = uploads;
  return (
    <section
      aria-label="Add pictures"
      data-testid="dropzone"
      className={cn(
        "flex flex-wrap items-center gap-x-4 gap-y-2 rounded-lg border border-dashed px-4 transition-colors",
        large ? "min-h-72 flex-col justify-center py-10 text-center" : "py-3",
        broken && !running ? "border-bad bg-bad-soft" : "border-line-strong bg-surface",
      )}
    >
      <ImagePlus aria-hidden className={cn("shrink-0 text-accent", large ? "size-8" : "size-5")} />
      {running ? (
        <Uploading batch={running} n_waiting={n_waiting} onCancel={onCancel} />
      ) : broken ? (
        <Broken broken={broken} onRetry={onRetry} onDismiss={onDismiss} />
      ) : (
        <>
          <div className={cn(!large && "mr-auto")}>
            <p className="font-medium">Drop pictures, captions, folders or zips anywhere on this page</p>
            <p className="text-muted text-xs">
              PNG, JPEG, WebP and other pictures of at least 64 px; a <code>.txt</code> of the same name is
              its caption, a picture <code>…-masklabel.png</code> its loss mask
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

interface UploadingProps {
  batch: Batch;
  n_waiting: number;
  onCancel: () => void;
}

function Uploading({ batch: { n_files, bytes, share }, n_waiting, onCancel }: UploadingProps) {
  return (
    <div className="flex min-w-0 flex-1 items-center gap-4 self-stretch">
      <div className="min-w-0 flex-1">
        <p className="mb-1.5 flex justify-between gap-4">
          <span className="font-medium">
            {share < 1 ? "Uploading" : "Checking"} {formatPlural(n_files, "file")}
            {n_waiting > 0 && `, ${n_waiting} more waiting`}
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

interface BrokenProps {
  broken: NonNullable<Uploads["broken"]>;
  onRetry: () => void;
  onDismiss: () => void;
}

function Broken({ broken: { n_files, error }, onRetry, onDismiss }: BrokenProps) {
  return (
    <>
      <div role="alert" className="mr-auto min-w-0">
        <p className="font-medium">{formatPlural(n_files, "file")} not uploaded</p>
        <p className="break-words text-xs">{formatSentence(describeError(error))}</p>
      </div>
      <Button variant="primary" onClick={onRetry}>
        Try again
      </Button>
      <Button onClick={onDismiss}>Dismiss</Button>
    </>
  );
}
