// The files of an upload that were rejected, each with its reason.
import { FileWarning, X } from "lucide-react";
import type { RefusedFile } from "~/api/types";
import { Button } from "~/components/ui/button";
import { formatPlural } from "~/lib/format";

interface Props {
  files: RefusedFile[];
  onDismiss: () => void;
}

export function RefusedFiles({ files, onDismiss }: Props) {
  return (
    <section
      aria-label="Rejected files"
      role="alert"
      className="mt-3 rounded-lg border border-warning bg-surface"
    >
      <header className="flex items-center gap-2 border-b px-3 py-2">
        <FileWarning aria-hidden className="size-4 text-warning" />
        <h2 className="font-semibold">
          {formatPlural(files.length, "file")} {files.length === 1 ? "was" : "were"} not added
        </h2>
        <Button variant="ghost" size="icon-sm" aria-label="Dismiss" className="ml-auto" onClick={onDismiss}>
          <X aria-hidden />
        </Button>
      </header>
      <ul className="max-h-64 divide-y overflow-y-auto">
        {files.map(({ file_name, reason }) => (
          <li key={file_name} className="grid gap-x-4 px-3 py-1.5 sm:grid-cols-[minmax(10rem,1fr)_2fr]">
            <span className="break-all font-medium">{file_name}</span>
            <span className="text-muted">{reason}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
