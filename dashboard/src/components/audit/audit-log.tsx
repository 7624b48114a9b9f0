// Entries of the audit log, as a table where there is room and as a list on a phone.
import type { AuditEntry } from "~/api/types";
import { formatDate, formatPlural } from "~/lib/format";

export function AuditLog({ entries }: { entries: AuditEntry[] }) {
  return (
    <table className="w-full border-collapse text-left">
      <caption className="sr-only">Who did what, the newest first</caption>
      <thead className="eyebrow hidden sm:table-header-group">
        <tr className="h-8 border-b [&>th]:px-3 [&>th]:font-medium">
          <th scope="col">Time</th>
          <th scope="col">What</th>
          <th scope="col">Who</th>
          <th scope="col">From</th>
        </tr>
      </thead>
      <tbody className="divide-y">
        {entries.map((entry) => (
          <Entry key={entry.id} entry={entry} />
        ))}
      </tbody>
    </table>
  );
}

const CELL = "block px-3 py-0.5 align-top sm:table-cell sm:py-1.5";

function Entry({ entry }: { entry: AuditEntry }) {
  const isRefusal = entry.action === "sign_in_failed";
  return (
    <tr className="block py-1.5 sm:table-row sm:py-0">
      <td className={`${CELL} whitespace-nowrap text-muted text-xs sm:leading-5`}>
        <time dateTime={entry.at}>{formatDate(entry.at)}</time>
      </td>
      <td className={`${CELL} wrap-anywhere`}>
        <span className={isRefusal ? "font-medium text-bad" : "font-medium"}>{entry.label}</span>
        {entry.n > 1 && <span className="text-muted"> {formatPlural(entry.n, "time")}</span>}
        {entry.subject && <span>: {entry.subject}</span>}
        {entry.detail && <span className="block text-muted text-xs">{entry.detail}</span>}
      </td>
      <td className={`${CELL} wrap-anywhere`}>{entry.actor}</td>
      <td className={`${CELL} wrap-anywhere text-muted`}>{entry.address ?? ""}</td>
    </tr>
  );
}
