// How a run that describes pictures stands.
import { Square } from "lucide-react";
import { useStopCaptionRun } from "~/api/captioning";
import type { CaptionRun } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Progress } from "~/components/ui/progress";
import { announceError } from "~/components/ui/toast";
import { formatCount, formatPlural, formatSentence } from "~/lib/format";

export function RunProgress({ dataset, run }: { dataset: string; run: CaptionRun }) {
  const stop = useStopCaptionRun(dataset);
  const { id, state, n_done, n_items, error } = run;
  return (
    <div className="flex flex-col gap-1.5">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <p role="status">{says(run)}</p>
        {state === "running" && (
          <Button
            size="sm"
            disabled={stop.isPending}
            onClick={() =>
              stop.mutate(id, { onError: (problem) => announceError("It was not stopped", problem) })
            }
          >
            <Square aria-hidden />
            Stop
          </Button>
        )}
      </div>
      {state === "running" && (
        <Progress label="Pictures that were described" value={n_done / n_items} live className="h-1.5" />
      )}
      {state === "failed" && error && (
        <p role="alert" className="wrap-anywhere text-bad text-xs">
          {formatSentence(error)}
        </p>
      )}
    </div>
  );
}

/** One line about a run. */
export function says({ state, endpoint, n_done, n_items, n_failed }: CaptionRun): string {
  const failed = n_failed > 0 ? ` ${formatPlural(n_failed, "picture")} failed.` : "";
  const done = `${formatCount(n_done)} of ${formatPlural(n_items, "picture")}`;
  switch (state) {
    case "running":
      return `${endpoint} describes the pictures: ${done}.${failed}`;
    case "done":
      return `${endpoint} described ${formatPlural(n_items - n_failed, "picture")}.${failed}`;
    case "stopped":
      return `Stopped after ${done}.${failed}`;
    case "failed":
      return `${endpoint} failed after ${done}.`;
  }
}
