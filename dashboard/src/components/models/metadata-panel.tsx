// What the file says about itself.
import { Fragment, type ReactNode, useState } from "react";
import type { ModelVersion } from "~/api/types";
import { Input } from "~/components/ui/field";
import { Property } from "~/components/ui/misc";
import { Panel } from "~/components/ui/panel";

export function MetadataPanel({ metadata }: { metadata: ModelVersion["metadata"] }) {
  const [q, setQ] = useState("");
  const rows = Object.entries(metadata).filter(([key, value]) =>
    `${key} ${value}`.toLowerCase().includes(q.toLowerCase()),
  );
  return (
    <Panel
      title="File metadata"
      aside={
        <Input
          aria-label="Filter metadata"
          placeholder="Filter"
          value={q}
          onChange={(event) => setQ(event.target.value)}
          className="h-7 w-40"
        />
      }
    >
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard */}
      <section aria-label="Metadata by key" tabIndex={0} className="max-h-96 overflow-y-auto">
        {rows.length === 0 && (
          <p className="py-2 text-muted">
            {q ? "No metadata matches the filter." : "The file has no metadata."}
          </p>
        )}
        <dl className="font-mono text-xs">
          {rows.map(([key, value]) => (
            <Property key={key} name={breakable(key)} stacks>
              <span className="line-clamp-4">{value}</span>
            </Property>
          ))}
        </dl>
      </section>
    </Panel>
  );
}

/** A key that may be broken after its dots and underlines. */
function breakable(key: string): ReactNode {
  return key.split(/(?<=[._])/).map((part, at) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: parts never change places
    <Fragment key={at}>
      {part}
      <wbr />
    </Fragment>
  ));
}
