// Keeps the list of jobs up to date while the app is open.
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { sessionQuery } from "~/api/queries";
import { type Connection, follow } from "~/api/socket";
import type { AnyJobEvent, Job } from "~/api/types";
import { groupBy } from "~/lib/group-by";
import { patchJob } from "./use-job-live";

/** Follows every job and says whether the server can be reached; `onPhase` hears of each change of phase. */
export function useAllJobs(
  onPhase: (id: string, job: Job | undefined, phase: Job["phase"]) => void,
): Connection {
  const queries = useQueryClient();
  const [connection, setConnection] = useState<Connection>("connecting");
  useEffect(() => {
    const refetch = () => void queries.invalidateQueries({ queryKey: ["jobs"], exact: true });
    const refetchAll = () => {
      refetch();
      void queries.invalidateQueries({ queryKey: ["spend"] });
    };
    return follow<AnyJobEvent>({
      path: "/api/v1/events",
      after: null,
      seq: (event) => event.seq,
      onGap: refetchAll,
      // Asking again leads to the sign-in page and back.
      onSignedOut: () => void queries.fetchQuery({ ...sessionQuery(), staleTime: 0 }).catch(() => undefined),
      // A lost connection stays lost until it is there again, also while that is tried.
      onConnection: (next) =>
        setConnection((before) => (before === "waiting" && next === "connecting" ? before : next)),
      onEvents: (events) => {
        const jobs = queries.getQueryData<Job[]>(["jobs"]);
        for (const [id, ofJob] of groupBy(events, (event) => event.job_id)) {
          const known = jobs?.find((job) => job.id === id);
          // A job that is new, or of which something was missed.
          if (!known || (ofJob[0]?.seq ?? 0) > known.last_seq + 1) refetch();
          patchJob(queries, id, ofJob);
          if (ofJob.some(movesMoney)) void queries.invalidateQueries({ queryKey: ["spend"] });
          for (const event of ofJob) if (event.type === "phase_changed") onPhase(id, known, event.phase);
        }
      },
    });
  }, [queries, onPhase]);
  return connection;
}

/** Whether machines, budgets or the ledger are not as they were. */
function movesMoney({ type }: AnyJobEvent): boolean {
  return type === "spend" || type === "attempt_ended" || type === "phase_changed";
}
