// Tells on every page that the server's disk is nearly full, for as long as it is.
import { useQuery } from "@tanstack/react-query";
import { HardDrive } from "lucide-react";
import { systemQuery } from "~/api/queries";
import type { DiskStatus } from "~/api/types";
import { formatBytes } from "~/lib/format";

export function DiskBanner() {
  const { data } = useQuery(systemQuery());
  return data?.disk.is_short ? <DiskShort disk={data.disk} /> : null;
}

function figures(folder: DiskStatus["folders"][number]) {
  if (folder.is_out_of_files) {
    return `It can hold hardly any more files, although ${formatBytes(folder.free_bytes)} are free.`;
  }
  return `${formatBytes(folder.free_bytes)} are free; work resumes at ${formatBytes(folder.resume_at_bytes)}.`;
}

export function DiskShort({ disk }: { disk: DiskStatus }) {
  const folder = disk.folders.find(({ is_short }) => is_short);
  return (
    <p role="status" className="border-b bg-bad-soft px-4 py-1.5 text-center text-bad">
      <HardDrive aria-hidden className="mr-1.5 inline size-4 align-text-bottom" />
      The server's disk is nearly full. Uploads are rejected and jobs are paused.
      {folder && ` ${figures(folder)}`}
    </p>
  );
}
