// What can be made of a version, and what was made of it.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { FileOutput, Layers, Scaling, SlidersVertical } from "lucide-react";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { editsQuery } from "~/api/edits";
import type { ModelVersion } from "~/api/types";
import { isUnderWay } from "~/api/under-way";
import { Button } from "~/components/ui/button";
import { Panel } from "~/components/ui/panel";
import { ConvertDialog } from "./convert-dialog";
import { EditRow } from "./edit-row";
import { editsOf } from "./form";
import { MergeDialog } from "./merge-dialog";
import { ResizeDialog } from "./resize-dialog";
import { WeighDialog } from "./weigh-dialog";

type Tool = "merge" | "resize" | "weigh" | "convert";

const TOOLS: { tool: Tool; label: string; icon: ReactNode }[] = [
  { tool: "merge", label: "Merge with…", icon: <Layers aria-hidden /> },
  { tool: "resize", label: "Resize…", icon: <Scaling aria-hidden /> },
  { tool: "weigh", label: "Weigh blocks…", icon: <SlidersVertical aria-hidden /> },
  { tool: "convert", label: "Download as…", icon: <FileOutput aria-hidden /> },
];

const DIALOGS = { merge: MergeDialog, resize: ResizeDialog, weigh: WeighDialog, convert: ConvertDialog };

export function ToolsPanel({ version }: { version: ModelVersion }) {
  const [open, setOpen] = useState<Tool | null>(null);
  const { data: edits = [] } = useQuery(editsQuery());
  const shown = editsOf(edits, version);
  useNewVersions(edits.filter(isUnderWay).length);
  const Shown = open && DIALOGS[open];
  return (
    <Panel title="Make something of it" bodyClassName="p-0">
      <div className="flex flex-wrap gap-2 p-3">
        {TOOLS.map(({ tool, label, icon }) => (
          <Button key={tool} onClick={() => setOpen(tool)} disabled={version.damage != null}>
            {icon}
            {label}
          </Button>
        ))}
      </div>
      {shown.length > 0 && (
        <ul aria-label="Made of it" className="divide-y border-t">
          {shown.map((edit) => (
            <EditRow key={edit.id} edit={edit} />
          ))}
        </ul>
      )}
      {Shown && <Shown version={version} onClose={() => setOpen(null)} />}
    </Panel>
  );
}

/** A result may be a version of a model that is shown. */
function useNewVersions(nLive: number): void {
  const queries = useQueryClient();
  const before = useRef(nLive);
  useEffect(() => {
    if (nLive < before.current) void queries.invalidateQueries({ queryKey: ["models"] });
    before.current = nLive;
  }, [nLive, queries]);
}
