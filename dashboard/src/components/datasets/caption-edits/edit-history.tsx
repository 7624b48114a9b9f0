// The edits of many captions that can be undone.
import { useQuery } from "@tanstack/react-query";
import { Undo2 } from "lucide-react";
import { useUndoCaptionEdit } from "~/api/datasets";
import { describeError, isConflict } from "~/api/problem";
import { captionEditsQuery } from "~/api/queries";
import type { CaptionEdit } from "~/api/types";
import { Button } from "~/components/ui/button";
import { formatPlural, formatSentence } from "~/lib/format";

/** Edits that are listed. */
const N_SHOWN = 10;

export function EditHistory({ dataset }: { dataset: string }) {
  const { data: edits = [] } = useQuery(captionEditsQuery(dataset));
  if (edits.length === 0) return null;
  return (
    <ul aria-label="Edits of captions" className="divide-y rounded-md border text-xs">
      {edits.slice(0, N_SHOWN).map((edit) => (
        <li key={edit.id} className="px-2.5 py-1.5">
          <Row dataset={dataset} edit={edit} />
        </li>
      ))}
    </ul>
  );
}

function Row({ dataset, edit }: { dataset: string; edit: CaptionEdit }) {
  const undo = useUndoCaptionEdit(dataset);
  return (
    <>
      <div className="flex flex-wrap items-center justify-between gap-2">
        <span className="wrap-anywhere">
          {edit.description} <span className="text-muted">· {formatPlural(edit.n_changed, "caption")}</span>
        </span>
        {edit.undone_at ? (
          <span className="text-muted">Undone</span>
        ) : (
          <Button
            size="sm"
            disabled={undo.isPending}
            onClick={() => undo.mutate({ edit: edit.id, skip_changed: false })}
          >
            <Undo2 aria-hidden />
            Undo <span className="sr-only">{edit.description}</span>
          </Button>
        )}
      </div>
      {undo.error && (
        <p role="alert" className="mt-1 text-bad">
          {formatSentence(describeError(undo.error))}{" "}
          {isConflict(undo.error) && (
            <Button size="sm" onClick={() => undo.mutate({ edit: edit.id, skip_changed: true })}>
              Undo the others
            </Button>
          )}
        </p>
      )}
    </>
  );
}
