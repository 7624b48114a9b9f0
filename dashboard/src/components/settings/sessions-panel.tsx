// Browsers that are signed in: where, since when, and how to end it.
import { useSuspenseQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { LogOut } from "lucide-react";
import { sessionsQuery, useEndSession, useSignOutEverywhere } from "~/api/access";
import type { BrowserSession } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Confirm } from "~/components/ui/confirm";
import { Panel } from "~/components/ui/panel";
import { announceError } from "~/components/ui/toast";
import { formatAgo, formatDay } from "~/lib/format";

export function SessionsPanel() {
  const { data: sessions } = useSuspenseQuery(sessionsQuery());
  const navigate = useNavigate();
  const everywhere = useSignOutEverywhere();
  return (
    <Panel
      title="Signed-in browsers"
      aside={
        <Confirm
          trigger={
            <Button variant="danger" size="sm" disabled={everywhere.isPending}>
              Sign out everywhere
            </Button>
          }
          title="Sign out everywhere?"
          description="All browsers are signed out, including this one, and unused login addresses stop working. API tokens remain valid."
          action="Sign out everywhere"
          onConfirm={() =>
            everywhere.mutate(undefined, {
              onSuccess: () => void navigate({ to: "/login" }),
              onError: (error) => announceError("The browsers are still signed in", error),
            })
          }
        />
      }
    >
      {sessions.length === 0 ? (
        <p className="text-muted">No browser is signed in.</p>
      ) : (
        <ul className="divide-y">
          {sessions.map((session) => (
            <Row key={session.id} session={session} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Row({ session }: { session: BrowserSession }) {
  const end = useEndSession();
  const name = session.user_agent || "Unknown browser";
  const place = session.address ? ` from ${session.address}` : "";
  return (
    <li className="flex items-center gap-3 py-1.5 first:pt-0 last:pb-0">
      <div className="min-w-0 flex-1">
        <p className="wrap-anywhere font-medium">
          {name}
          {session.is_current && <span className="ml-2 font-normal text-muted text-xs">This browser</span>}
        </p>
        <p className="wrap-anywhere text-muted text-xs">
          Signed in {formatAgo(session.created_at)}
          {place} with {session.signed_in_with},{" "}
          {session.last_used_at ? `used ${formatAgo(session.last_used_at)}` : "not used yet"}
          {session.expires_at && `, until ${formatDay(session.expires_at)}`}
        </p>
      </div>
      {!session.is_current && (
        <Button
          variant="ghost"
          size="icon-sm"
          aria-label={`Sign out ${name}${place}`}
          disabled={end.isPending}
          onClick={() =>
            end.mutate(session.id, {
              onError: (error) => announceError("The browser is still signed in", error),
            })
          }
        >
          <LogOut aria-hidden />
        </Button>
      )}
    </li>
  );
}
