// Captions that a model writes: started here, shown beside the old ones, and accepted one by one or together.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ChevronDown } from "lucide-react";
import { useState } from "react";
import { captionEndpointsQuery, captionRunsQuery } from "~/api/captioning";
import type { Item } from "~/api/types";
import { Proposals } from "./proposals";
import { RunForm } from "./run-form";
import { RunProgress } from "./run-progress";

interface Props {
  dataset: string;
  /** The pictures that the search and the filter leave. */
  shown: readonly Item[];
  /** Pictures of the dataset. */
  n_items: number;
}

export function CaptioningPanel(props: Props) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details
      className="group my-3 rounded-lg border bg-surface"
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary className="flex min-h-10 list-none flex-wrap items-center gap-2 rounded-lg px-3 font-medium hover:bg-hover">
        <ChevronDown
          aria-hidden
          className="-rotate-90 size-4 text-muted transition-transform group-open:rotate-0"
        />
        Caption for me…
        <span className="font-normal text-muted">a model proposes captions</span>
      </summary>
      {isOpen && <Captioning {...props} />}
    </details>
  );
}

function Captioning({ dataset, shown, n_items }: Props) {
  const { data: endpoints } = useQuery(captionEndpointsQuery());
  const { data: runs } = useQuery(captionRunsQuery(dataset));
  const newest = runs?.[0];
  return (
    <div className="flex flex-col gap-3 border-t p-3">
      {endpoints?.length === 0 && (
        <p>
          No model is set up yet. Add one under{" "}
          <Link to="/settings" className="underline">
            Settings
          </Link>
          : Ollama on this machine is enough.
        </p>
      )}
      {endpoints && endpoints.length > 0 && newest?.state !== "running" && (
        <RunForm dataset={dataset} endpoints={endpoints} shown={shown} n_items={n_items} />
      )}
      {newest && <RunProgress dataset={dataset} run={newest} />}
      {newest && <Proposals key={newest.id} dataset={dataset} run={newest} />}
      <p className="text-muted text-xs">
        For tags instead of sentences, run a tagger on the folder before you upload it:{" "}
        <code className="select-all">morpheus dataset tag FOLDER</code>
      </p>
    </div>
  );
}
