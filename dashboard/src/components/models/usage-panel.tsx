// How to use a version: trigger words and settings, as its owner left them.
import { PencilLine } from "lucide-react";
import { useState } from "react";
import type { ModelVersion } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Property } from "~/components/ui/misc";
import { Panel } from "~/components/ui/panel";
import { formatName } from "~/lib/format";
import { wordsOf } from "./usage";
import { UsageDialog } from "./usage-dialog";

export function UsagePanel({ version }: { version: ModelVersion }) {
  const [isOpen, setOpen] = useState(false);
  const { usage } = version;
  const words = wordsOf(version);
  return (
    <Panel
      title="How to use it"
      aside={
        <Button size="sm" variant="ghost" onClick={() => setOpen(true)}>
          <PencilLine aria-hidden />
          Edit
        </Button>
      }
    >
      <dl>
        <Property name={words.length > 1 ? "Trigger words" : "Trigger word"}>
          {words.length > 0 ? <code className="font-mono text-xs">{words.join(", ")}</code> : "None"}
        </Property>
        {usage?.weight != null && <Property name="Weight">{usage.weight}</Property>}
        {usage?.sampler && <Property name="Sampler">{formatName(usage.sampler)}</Property>}
        {usage?.n_steps != null && <Property name="Steps">{usage.n_steps}</Property>}
        {usage?.guidance != null && <Property name="Guidance">{usage.guidance}</Property>}
        {usage?.prompt && <Property name="Example prompt">{usage.prompt}</Property>}
        {usage?.negative_prompt && (
          <Property name="Example negative prompt">{usage.negative_prompt}</Property>
        )}
      </dl>
      {!usage && (
        <p className="mt-1 text-muted text-xs">
          Note the weight and settings that work best. The playground offers them, and downloads carry them.
        </p>
      )}
      {isOpen && <UsageDialog version={version} onClose={() => setOpen(false)} />}
    </Panel>
  );
}
