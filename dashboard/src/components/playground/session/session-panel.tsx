// A rented GPU for pictures: what it costs, how long it has, and how it is ended.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEndDrawingSession } from "~/api/drawing";
import { providersQuery } from "~/api/spend";
import type { DrawingSession } from "~/api/types";
import { LimitBar } from "~/components/spend/limit-bar";
import { Button } from "~/components/ui/button";
import { Confirm } from "~/components/ui/confirm";
import { Figure } from "~/components/ui/misc";
import { Panel } from "~/components/ui/panel";
import { announceError } from "~/components/ui/toast";
import { formatDuration, formatSentence } from "~/lib/format";
import { formatUsd, formatUsdUp } from "~/lib/money";
import { RentDialog } from "./rent-dialog";
import { SessionPhaseBadge } from "./session-phase";
import { isOpen, shown, timeLeft } from "./sessions";

interface Props {
  sessions: DrawingSession[];
  /** A session that was just asked for. */
  onRented: (id: string) => void;
}

/** Nothing where nobody rents machines out. */
export function SessionPanel({ sessions, onRented }: Props) {
  const { data: providers = [] } = useQuery(providersQuery());
  const rented = providers.filter(({ is_rented }) => is_rented);
  const listed = shown(sessions);
  if (rented.length === 0 && listed.length === 0) return null;
  return (
    <Panel
      title="Rented GPU"
      className="mb-4"
      bodyClassName=""
      aside={
        rented.length > 0 && !sessions.some(isOpen) && <RentDialog providers={rented} onRented={onRented} />
      }
    >
      {listed.length === 0 ? (
        <p className="p-3 text-muted">
          Pictures are drawn by the server's machine. A rented GPU draws them for as long as you ask for some,
          within a limit.
        </p>
      ) : (
        listed.map((session) => <Session key={session.id} session={session} />)
      )}
    </Panel>
  );
}

function Session({ session }: { session: DrawingSession }) {
  const { id, name, phase, reason, gpu, limit_micro_usd, spent_micro_usd, reserved_micro_usd } = session;
  const end = useEndDrawingSession();
  const left = timeLeft(session);
  return (
    <div className="border-b last:border-b-0">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1 px-3 pt-2.5">
        <SessionPhaseBadge phase={phase} />
        <span className="min-w-0 truncate font-medium">{name}</span>
        {gpu && <span className="text-muted text-xs">{gpu}</span>}
        <span className="ml-auto flex items-center gap-3">
          <Link to="/spend" className="text-accent text-xs underline underline-offset-2">
            Spend
          </Link>
          {isOpen(session) && (
            <Confirm
              trigger={
                <Button size="sm" variant="danger" disabled={end.isPending}>
                  End
                </Button>
              }
              title={`End ${name}?`}
              description="Its machine is terminated. Pictures that it has not drawn yet fail."
              action="End the session"
              onConfirm={() =>
                end.mutate(id, { onError: (error) => announceError("The session was not ended", error) })
              }
            />
          )}
        </span>
      </div>
      {reason && <p className="px-3 pt-1.5 text-muted text-xs">{formatSentence(reason)}</p>}
      <div className="px-3 pt-3 pb-1">
        <LimitBar
          label={`Spent of the limit of ${name}`}
          spent={spent_micro_usd}
          reserved={reserved_micro_usd}
          limit={limit_micro_usd}
          live={phase === "ready"}
        />
      </div>
      <dl className="grid grid-cols-2 gap-x-4 gap-y-3 border-t px-3 py-2.5 sm:grid-cols-4" data-figures>
        <Figure label="Spent of limit">
          {formatUsdUp(spent_micro_usd)} <span className="text-muted">/ {formatUsd(limit_micro_usd)}</span>
        </Figure>
        <Figure label="Per hour">{formatUsdUp(session.rate_micro_usd)}</Figure>
        <Figure label={left?.because === "silence" ? "Ends without a picture in" : "Ends in"}>
          {left ? formatDuration(left.seconds) : "–"}
        </Figure>
        <Figure label="Waiting pictures">{session.n_open}</Figure>
      </dl>
    </div>
  );
}
