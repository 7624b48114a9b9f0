// Which parts of the unet a LoRA changes most.
import { useState } from "react";
import type { Verdict } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Panel } from "~/components/ui/panel";
import { formatLoss } from "~/lib/format";
import { Bar } from "./verdict-panel";

const FEW = 10;

export function NormsPanel({ norms }: { norms: Verdict["module_norms"] }) {
  const [all, setAll] = useState(false);
  const most = norms[0]?.norm ?? 1;
  if (norms.length === 0) return null;
  return (
    <Panel
      title="Change by module"
      aside={
        norms.length > FEW && (
          <Button variant="ghost" size="sm" onClick={() => setAll(!all)}>
            {all ? `Largest ${FEW}` : `All ${norms.length}`}
          </Button>
        )
      }
    >
      <ol className="flex flex-col gap-1.5">
        {norms.slice(0, all ? undefined : FEW).map(({ module, norm }) => (
          <li key={module}>
            <div className="flex justify-between gap-3 text-xs">
              <span className="truncate" title={module}>
                {module.replace(/^lora_unet_/, "")}
              </span>
              <span className="text-muted">{formatLoss(norm)}</span>
            </div>
            <Bar share={norm / most} className="bg-pencil" />
          </li>
        ))}
      </ol>
    </Panel>
  );
}
