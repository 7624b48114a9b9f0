// What the job will be, before it exists.
import type { ReactNode } from "react";
import { useAcknowledge } from "~/api/datasets";
import type { Dataset, Finding, JobEstimate } from "~/api/types";
import { FindingsList } from "~/components/datasets/findings-list";
import { Mosaic } from "~/components/datasets/mosaic";
import { Property } from "~/components/ui/misc";
import { Panel } from "~/components/ui/panel";
import { Said } from "~/components/ui/said";
import { announceError } from "~/components/ui/toast";
import {
  formatBytes,
  formatClock,
  formatCount,
  formatDuration,
  formatName,
  formatPlural,
  formatSentence,
} from "~/lib/format";
import { SeenPictures, timesSeen } from "./seen-pictures";
import { firstOffer, formatCost, formatTime } from "./where/rented";

interface Props {
  dataset: Dataset | undefined;
  estimate: JobEstimate | undefined;
  /** Why there is no estimate. */
  problem: string | undefined;
  /** Where money is spent: in place of the time that it takes here. */
  rented?: ReactNode;
  children: ReactNode;
}

export function EstimatePanel({ dataset, estimate, problem, rented, children }: Props) {
  return (
    // Beside the form it is lower than the window below the page's title, so that the button is always in view.
    <Panel
      title="This job"
      className="flex flex-col min-[60rem]:max-h-[calc(100dvh-8rem)]"
      bodyClassName="flex min-h-0 flex-col p-3"
    >
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard */}
      <div tabIndex={0} className="-outline-offset-2 min-h-0 overflow-y-auto">
        {dataset && <Mosaic urls={dataset.preview_urls} className="mb-2" />}
        <div aria-live="polite">
          {estimate ? (
            <dl>
              <Property name="Trained on">{count(estimate.n_train_items, "picture")}</Property>
              <Property name="Held out">{count(estimate.n_held_out_items, "picture")}</Property>
              <Property name="Length">
                {count(estimate.n_views, "view")}, {count(estimate.recipe.parameters.n_steps, "step")},{" "}
                {count(estimate.n_epochs, "epoch")}
              </Property>
              {estimate.seen && estimate.seen.length > 0 && (
                <Property name="Each picture">seen {timesSeen(estimate.seen)}</Property>
              )}
              <Property name="Sizes">
                {estimate.buckets
                  .map(({ width, height, n_items }) => `${width}×${height} (${n_items})`)
                  .join(", ")}
              </Property>
              {estimate.file_bytes != null && (
                <Property name="File">about {formatBytes(estimate.file_bytes)}</Property>
              )}
              {rented ?? <TimeHere seconds={estimate.seconds ?? null} />}
              {estimate.notes?.map(({ field, message }) => (
                <Property key={field} name={formatName(field.replace(/^parameters\./, ""))}>
                  <span className="text-warning">{formatSentence(message)}</span>
                </Property>
              ))}
            </dl>
          ) : (
            <p className="py-2 text-muted">
              <Said>{problem ?? "Choose a dataset and a base model."}</Said>
            </p>
          )}
        </div>
        {dataset && estimate?.seen && (
          <SeenPictures dataset={dataset.id} seen={estimate.seen} n_items={estimate.n_train_items} />
        )}
        {dataset && estimate?.findings && <Findings dataset={dataset.id} findings={estimate.findings} />}
      </div>
      <div className="mt-3 shrink-0">{children}</div>
    </Panel>
  );
}

function Findings({ dataset, findings }: { dataset: string; findings: Finding[] }) {
  const acknowledge = useAcknowledge(dataset);
  return (
    <FindingsList
      findings={findings}
      onAcknowledge={(finding) =>
        acknowledge.mutate(finding, {
          onError: (error) => announceError("The finding was not acknowledged", error),
        })
      }
    />
  );
}

function TimeHere({ seconds }: { seconds: number | null }) {
  return (
    <Property name="Expected time">
      {seconds === null ? (
        <span className="text-muted">unknown until a similar job has run here</span>
      ) : (
        <>
          {formatDuration(seconds)}{" "}
          <span className="text-muted">· done at {formatClock(new Date(Date.now() + seconds * 1000))}</span>
        </>
      )}
    </Property>
  );
}

function count(value: number, noun: string): string {
  return `${formatCount(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** `1,600 views · 12 min 00 s · $0.31–0.42 · 2 findings`: the card in a line. */
export function inShort(estimate: JobEstimate, rents: boolean): string {
  const { n_views, seconds, offers, findings = [] } = estimate;
  const offer = rents ? firstOffer(offers) : undefined;
  const open = findings.filter(({ code, acknowledged }) => code !== "changed" && !acknowledged);
  return [
    count(n_views, "view"),
    offer ? formatTime(offer.seconds) : !rents && seconds != null && formatDuration(seconds),
    offer && formatCost(offer.cost_micro_usd),
    open.length > 0 && formatPlural(open.length, "finding"),
  ]
    .filter(Boolean)
    .join(" · ");
}
