// What the checks of a dataset have found, with a repair for each.
import { CircleX, Info, TriangleAlert } from "lucide-react";
import type { Finding } from "~/api/types";
import { Button } from "~/components/ui/button";
import { formatCount } from "~/lib/format";

/** Pictures that are named of one finding. */
const N_NAMED = 50;

const LOOK = {
  error: { icon: CircleX, color: "text-bad", word: "Error" },
  warning: { icon: TriangleAlert, color: "text-warning", word: "Warning" },
  note: { icon: Info, color: "text-muted", word: "Note" },
};

interface Props {
  findings: Finding[];
  /** Acknowledges a warning, which is then no longer listed. */
  onAcknowledge: (finding: Finding) => void;
  /** Shows the pictures that a finding is about, where there are any to show. */
  onShow?: (finding: Finding) => void;
  /** Splits a picture into panels, which repairs a whole page. */
  onSplit?: (item: string) => void;
}

export function FindingsList({ findings, onAcknowledge, onShow, onSplit }: Props) {
  // What was changed at upload needs no decision, and stands at the pictures.
  const all = findings.filter(({ code }) => code !== "changed");
  const open = all.filter(({ acknowledged }) => !acknowledged);
  const nAcknowledged = all.length - open.length;
  if (all.length === 0) return null;
  return (
    <div className="mt-3 text-xs">
      {open.length > 0 && (
        <ul aria-label="What the checks of the dataset found" className="divide-y rounded-md border">
          {open.map((finding) => (
            <li key={`${finding.code} ${finding.content}`} className="px-2.5 py-1.5">
              <Row
                finding={finding}
                onAcknowledge={onAcknowledge}
                {...(onShow && { onShow })}
                {...(onSplit && { onSplit })}
              />
            </li>
          ))}
        </ul>
      )}
      {nAcknowledged > 0 && (
        <p className="mt-1 text-muted">
          {nAcknowledged === 1
            ? "1 acknowledged finding"
            : `${formatCount(nAcknowledged)} acknowledged findings`}
        </p>
      )}
    </div>
  );
}

function Row({ finding, onAcknowledge, onShow, onSplit }: Omit<Props, "findings"> & { finding: Finding }) {
  const { severity, message, repair, pictures = [] } = finding;
  const { icon: Icon, color, word } = LOOK[severity];
  const page = finding.code === "whole_page" ? pictures.find(({ id }) => id) : undefined;
  const nMore = pictures.length - N_NAMED;
  return (
    <>
      <p className="flex items-start gap-1.5">
        <Icon aria-label={word} role="img" className={`mt-0.5 size-3.5 shrink-0 ${color}`} />
        <span className="wrap-anywhere">
          <span className="font-medium">{message}</span> {repair}
        </span>
      </p>
      {pictures.length > 0 && (
        <details className="mt-1 pl-5">
          <summary className="cursor-pointer text-muted">Show which</summary>
          <ul className="mt-1">
            {pictures.slice(0, N_NAMED).map(({ id, file_name, detail }) => (
              <li key={`${id} ${file_name} ${detail}`} className="wrap-anywhere">
                {file_name}: <span className="text-muted">{detail}</span>
              </li>
            ))}
            {nMore > 0 && <li className="text-muted">and {formatCount(nMore)} more</li>}
          </ul>
        </details>
      )}
      <div className="ml-5 flex flex-wrap gap-1.5">
        {severity === "warning" && (
          <Button size="sm" className="mt-1" onClick={() => onAcknowledge(finding)}>
            Acknowledge<span className="sr-only">: {message}</span>
          </Button>
        )}
        {onSplit && page?.id && (
          <Button size="sm" className="mt-1" onClick={() => page.id && onSplit(page.id)}>
            Split into panels<span className="sr-only">: {page.file_name}</span>
          </Button>
        )}
        {onShow && pictures.length > 0 && (
          <Button size="sm" className="mt-1" onClick={() => onShow(finding)}>
            Show the pictures<span className="sr-only">: {message}</span>
          </Button>
        )}
      </div>
    </>
  );
}
