// The log of a job; it sticks to its end until somebody scrolls up.
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef, useState } from "react";
import type { LogLevel } from "~/api/types";
import { Panel } from "~/components/ui/panel";
import { cn } from "~/lib/cn";
import { formatDate } from "~/lib/format";
import { useJobLog } from "~/live/use-job-log";

const LEVELS: Record<LogLevel, string> = { info: "text-text", warning: "text-warning", error: "text-bad" };
const ROW_PX = 20;

const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export function JobLog({ id }: { id: string }) {
  const lines = useJobLog(id);
  const scroller = useRef<HTMLElement>(null);
  const [sticks, setSticks] = useState(true);
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 20,
  });

  useEffect(() => {
    if (sticks && lines.length > 0) virtual.scrollToIndex(lines.length - 1, { align: "end" });
  }, [lines.length, sticks, virtual]);

  return (
    <Panel
      title="Log"
      aside={<span className="text-muted text-xs">{lines.length} lines</span>}
      bodyClassName="p-0"
    >
      <section
        ref={scroller}
        aria-label="Log lines"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard
        tabIndex={0}
        onScroll={({ currentTarget: { scrollTop, clientHeight, scrollHeight } }) =>
          setSticks(scrollHeight - scrollTop - clientHeight < 2 * ROW_PX)
        }
        className="h-[60vh] overflow-y-auto bg-sunken px-3 py-2 font-mono text-xs -outline-offset-2"
      >
        {lines.length === 0 && <p className="text-muted">Nothing has happened yet.</p>}
        <div className="relative" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((row) => {
            const line = lines[row.index];
            return (
              line && (
                <p
                  key={line.seq}
                  ref={virtual.measureElement}
                  data-index={row.index}
                  className="absolute inset-x-0 flex gap-3 py-0.5"
                  style={{ transform: `translateY(${row.start}px)` }}
                >
                  <time dateTime={line.at} title={formatDate(line.at)} className="shrink-0 text-muted">
                    {time.format(new Date(line.at))}
                  </time>
                  {line.level !== "info" && (
                    <span className={cn("shrink-0 font-semibold", LEVELS[line.level])}>{line.level}</span>
                  )}
                  <span className={cn("min-w-0 break-words", LEVELS[line.level])}>{line.message}</span>
                </p>
              )
            );
          })}
        </div>
      </section>
    </Panel>
  );
}
