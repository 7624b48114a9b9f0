// What a run proposes, beside the captions that there are.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { captionProposalsQuery, useAcceptCaptions, useDismissCaptions } from "~/api/captioning";
import { describeError } from "~/api/problem";
import type { CaptionProposal, CaptionRun } from "~/api/types";
import { Button } from "~/components/ui/button";
import { formatPlural, formatSentence } from "~/lib/format";

/** Proposals that are listed; more follow as these are accepted or dismissed. */
const N_SHOWN = 50;

export function Proposals({ dataset, run }: { dataset: string; run: CaptionRun }) {
  const { data: all = [] } = useQuery(captionProposalsQuery(dataset, run));
  const accept = useAcceptCaptions(dataset);
  const dismiss = useDismissCaptions(dataset);
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const open = all.filter(({ state }) => state === "open");
  const failed = all.filter(({ state }) => state === "failed");
  const chosen = open.filter(({ id }) => picked.has(id)).map(({ id }) => id);
  // More may have been proposed since: those that are counted here.
  const counted = run.state === "running" ? open.map(({ id }) => id) : undefined;
  const isBusy = accept.isPending || dismiss.isPending;
  const error = accept.error ?? dismiss.error;
  const settle = (how: typeof accept | typeof dismiss, proposals?: string[]) => {
    accept.reset();
    dismiss.reset();
    how.mutate({ run: run.id, ...(proposals && { proposals }) });
  };
  const pick = (id: string) =>
    setPicked((before) => {
      const after = new Set(before);
      if (!after.delete(id)) after.add(id);
      return after;
    });
  const accepted = accept.data;
  return (
    <>
      {open.length > 0 && (
        <div className="flex flex-wrap items-center gap-1.5">
          <Button variant="primary" size="sm" disabled={isBusy} onClick={() => settle(accept, counted)}>
            Accept all {open.length}
          </Button>
          <Button size="sm" disabled={isBusy || chosen.length === 0} onClick={() => settle(accept, chosen)}>
            Accept {chosen.length} selected
          </Button>
          <Button size="sm" disabled={isBusy || chosen.length === 0} onClick={() => settle(dismiss, chosen)}>
            Dismiss {chosen.length} selected
          </Button>
          <Button size="sm" variant="ghost" disabled={isBusy} onClick={() => settle(dismiss, counted)}>
            Dismiss all
          </Button>
        </div>
      )}
      {accepted && (
        <p role="status" className="text-xs">
          {formatPlural(accepted.n_accepted, "caption")} accepted. The edit can be undone under “Edit many
          captions”.
          {accepted.n_skipped > 0 &&
            ` ${formatPlural(accepted.n_skipped, "caption")} changed since, and stay as they are.`}
        </p>
      )}
      {error && (
        <p role="alert" className="text-bad text-xs">
          {formatSentence(describeError(error))}
        </p>
      )}
      {open.length + failed.length > 0 && (
        <section
          aria-label="Proposed captions"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard
          tabIndex={0}
          className="max-h-96 overflow-y-auto rounded-md border"
        >
          <ul className="divide-y text-xs">
            {open.slice(0, N_SHOWN).map((proposal) => (
              <Row
                key={proposal.id}
                proposal={proposal}
                isPicked={picked.has(proposal.id)}
                isBusy={isBusy}
                onPick={() => pick(proposal.id)}
                onAccept={() => settle(accept, [proposal.id])}
                onDismiss={() => settle(dismiss, [proposal.id])}
              />
            ))}
            {failed.slice(0, N_SHOWN).map(({ id, file_name, error: reason }) => (
              <li key={id} className="wrap-anywhere px-2.5 py-1.5">
                <span className="font-medium">{file_name}</span>
                <span className="block text-bad">{formatSentence(reason ?? "it failed")}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

interface RowProps {
  proposal: CaptionProposal;
  isPicked: boolean;
  isBusy: boolean;
  onPick: () => void;
  onAccept: () => void;
  onDismiss: () => void;
}

function Row({ proposal, isPicked, isBusy, onPick, onAccept, onDismiss }: RowProps) {
  const { file_name, before, after } = proposal;
  return (
    <li className="wrap-anywhere flex gap-2 px-2.5 py-1.5">
      <input type="checkbox" aria-label={`Select ${file_name}`} checked={isPicked} onChange={onPick} />
      <div className="min-w-0 flex-1">
        <span className="font-medium">{file_name}</span>
        <del className="block text-muted">{before || "(empty)"}</del>
        <ins className="block no-underline">{after}</ins>
      </div>
      <div className="flex flex-col gap-1">
        <Button
          size="sm"
          disabled={isBusy}
          aria-label={`Accept the caption of ${file_name}`}
          onClick={onAccept}
        >
          Accept
        </Button>
        <Button
          size="sm"
          variant="ghost"
          disabled={isBusy}
          aria-label={`Dismiss the caption of ${file_name}`}
          onClick={onDismiss}
        >
          Dismiss
        </Button>
      </div>
    </li>
  );
}
