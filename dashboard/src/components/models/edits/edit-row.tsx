// One file that is made out of others, or was.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Box, Download } from "lucide-react";
import { useState } from "react";
import { registeredBasesQuery } from "~/api/bases";
import { editHref, useCancelEdit } from "~/api/edits";
import { modelVersionQuery } from "~/api/queries";
import type { LoraEdit } from "~/api/types";
import { isUnderWay } from "~/api/under-way";
import { BASE_MODELS } from "~/components/settings/bases/more-bases-link";
import { Button, buttonClass } from "~/components/ui/button";
import { Progress } from "~/components/ui/progress";
import { announceError } from "~/components/ui/toast";
import { formatAgo, formatSentence } from "~/lib/format";
import { basesOf, inWords } from "./form";
import { UseAsBaseDialog } from "./use-as-base-dialog";

export function EditRow({ edit }: { edit: LoraEdit }) {
  const cancel = useCancelEdit();
  const isLive = isUnderWay(edit);
  const { progress } = edit;
  const share = progress && progress.total > 0 ? progress.done / progress.total : null;
  return (
    <li className="flex flex-col gap-1 px-3 py-2">
      <div className="flex min-h-7 flex-wrap items-center justify-between gap-x-3 gap-y-1">
        <span className="min-w-0 font-medium">{inWords(edit)}</span>
        {isLive && (
          <Button
            size="sm"
            disabled={cancel.isPending || edit.is_cancelling}
            onClick={() =>
              cancel.mutate(edit.id, { onError: (error) => announceError("It was not canceled", error) })
            }
          >
            {edit.is_cancelling ? "Canceling…" : "Cancel"}
          </Button>
        )}
        {edit.phase === "succeeded" && (
          <span className="flex flex-wrap items-center gap-2">
            {edit.request.kind === "merge_into" && <AsBase edit={edit} />}
            <Result edit={edit} />
          </span>
        )}
        {edit.phase === "cancelled" && <span className="text-muted text-xs">Canceled</span>}
      </div>
      {isLive && (
        <>
          <Progress label={inWords(edit)} value={share} live className="h-1.5" />
          <p className="text-muted text-xs">
            {edit.phase === "queued"
              ? "Waiting for a machine"
              : formatSentence(progress?.stage ?? "starting")}
          </p>
        </>
      )}
      {edit.error && (
        <p role="alert" className="wrap-anywhere text-bad text-xs">
          {formatSentence(edit.error)}
        </p>
      )}
      {(edit.notes ?? []).map((note) => (
        <p key={note} className="wrap-anywhere text-muted text-xs">
          {formatSentence(note)}
        </p>
      ))}
    </li>
  );
}

/** A base model that was merged here: a link to those that it has become, and a button while its file is there. */
function AsBase({ edit }: { edit: LoraEdit }) {
  const [isOpen, setOpen] = useState(false);
  const { data: registered = [] } = useQuery(registeredBasesQuery());
  return (
    <>
      {basesOf(registered, edit).map(({ name }) => (
        <Link
          key={name}
          to="/settings"
          hash={BASE_MODELS}
          className="text-accent underline underline-offset-2"
        >
          Base model {name}
        </Link>
      ))}
      {edit.file_name && (
        <Button size="sm" onClick={() => setOpen(true)}>
          <Box aria-hidden />
          Use as a base model
        </Button>
      )}
      {isOpen && edit.file_name && (
        <UseAsBaseDialog editId={edit.id} fileName={edit.file_name} onClose={() => setOpen(false)} />
      )}
    </>
  );
}

function Result({ edit }: { edit: LoraEdit }) {
  const { data: version } = useQuery({
    ...modelVersionQuery(edit.model_version_id ?? ""),
    enabled: edit.model_version_id != null,
  });
  if (edit.file_name)
    return (
      <a href={editHref(edit.id)} download={edit.file_name} className={buttonClass({ size: "sm" })}>
        <Download aria-hidden />
        {edit.file_name}
      </a>
    );
  if (!version)
    return edit.model_version_id == null ? (
      <span className="text-muted text-xs">The file was kept for a week</span>
    ) : null;
  return (
    <Link
      to="/models/$modelId"
      params={{ modelId: version.model_id }}
      search={{ version: version.version }}
      className="text-accent underline underline-offset-2"
    >
      {version.name} v{version.version}, {formatAgo(edit.ended_at ?? edit.created_at)}
    </Link>
  );
}
