// The log of a job: the words of its event stream, from the first one. The server leaves the numbers out.
import { useEffect, useState } from "react";
import { follow } from "~/api/socket";
import type { JobEvent } from "~/api/types";
import { type LogLine, logLine, NUMBERS } from "./reduce";

export function useJobLog(id: string): LogLine[] {
  const [lines, setLines] = useState<LogLine[]>([]);
  useEffect(() => {
    setLines([]);
    return follow<JobEvent>({
      path: `/api/v1/jobs/${id}/events?without=${NUMBERS.join(",")}`,
      after: 0,
      seq: (event) => event.seq,
      onEvents: (events) => {
        const fresh = events.flatMap((event) => logLine(event) ?? []);
        if (fresh.length > 0) setLines((before) => [...before, ...fresh]);
      },
    });
  }, [id]);
  return lines;
}
