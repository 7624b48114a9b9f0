// The folder into which approved LoRAs are copied, as a row of the server's settings.
import { useQuery } from "@tanstack/react-query";
import { loraCopiesQuery } from "~/api/copies";
import { Property } from "~/components/ui/misc";
import { formatPlural } from "~/lib/format";

export function LoraFolder() {
  const { data } = useQuery(loraCopiesQuery());
  if (!data) return null;
  return (
    <Property name="LoRA folder">
      {data.folder ? <Folder folder={data.folder} n={data.copies.length} problem={data.problem} /> : <None />}
    </Property>
  );
}

interface FolderProps {
  folder: string;
  n: number;
  problem: string | null | undefined;
}

function Folder({ folder, n, problem }: FolderProps) {
  return (
    <>
      <code className="wrap-anywhere font-mono text-xs">{folder}</code>
      {problem ? (
        <p className="wrap-anywhere text-warning text-xs">Nothing is copied: {problem}. It is tried again.</p>
      ) : (
        <p className="text-muted text-xs">{formatPlural(n, "approved version")}</p>
      )}
    </>
  );
}

function None() {
  return (
    <>
      None; <code className="font-mono text-xs">--lora-folder</code> names one of ComfyUI
    </>
  );
}
