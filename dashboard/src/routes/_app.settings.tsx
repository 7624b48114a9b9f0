// Appearance, keyboard, base models, access.
import { useSuspenseQuery } from "@tanstack/react-query";
import { createFileRoute, Link } from "@tanstack/react-router";
import { LogOut } from "lucide-react";
import type { ReactNode } from "react";
import { sessionsQuery, useSignOut } from "~/api/access";
import { registeredBasesQuery } from "~/api/bases";
import { captionEndpointsQuery } from "~/api/captioning";
import { webhooksQuery } from "~/api/notices";
import { baseModelsQuery, sessionQuery, tokensQuery } from "~/api/queries";
import { BasesPanel } from "~/components/settings/bases/bases-panel";
import { EndpointsPanel } from "~/components/settings/captioning/endpoints-panel";
import { LoraFolder } from "~/components/settings/lora-folder";
import { NoticesPanel } from "~/components/settings/notices/notices-panel";
import { SessionsPanel } from "~/components/settings/sessions-panel";
import { TokensPanel } from "~/components/settings/tokens-panel";
import { ThemeSwitch } from "~/components/shell/theme-switch";
import { CleanUpPanel } from "~/components/trash/clean-up-panel";
import { TrashPanel } from "~/components/trash/trash-panel";
import { Button } from "~/components/ui/button";
import { Property } from "~/components/ui/misc";
import { Page } from "~/components/ui/page";
import { Panel } from "~/components/ui/panel";
import { Segmented } from "~/components/ui/segmented";
import { announceError } from "~/components/ui/toast";
import { setBrowserNotices, useBrowserNotices } from "~/lib/browser-notices";
import { useShortcutsEnabled } from "~/lib/shortcuts";

export const Route = createFileRoute("/_app/settings")({
  loader: ({ context }) =>
    Promise.all([
      context.queries.ensureQueryData(tokensQuery()),
      context.queries.ensureQueryData(sessionsQuery()),
      context.queries.ensureQueryData(baseModelsQuery()),
      context.queries.ensureQueryData(registeredBasesQuery()),
      context.queries.ensureQueryData(webhooksQuery()),
      context.queries.ensureQueryData(captionEndpointsQuery()),
    ]),
  component: Settings,
});

function Settings() {
  const navigate = Route.useNavigate();
  const { data: session } = useSuspenseQuery(sessionQuery());
  const { data: bases } = useSuspenseQuery(baseModelsQuery());
  const [shortcuts, setShortcuts] = useShortcutsEnabled();
  const signOut = useSignOut();
  return (
    <Page
      title="Settings"
      narrow
      actions={
        <Button
          onClick={() =>
            signOut.mutate(undefined, {
              onSuccess: () => void navigate({ to: "/login" }),
              onError: (error) => announceError("You are still signed in", error),
            })
          }
        >
          <LogOut aria-hidden />
          Sign out
        </Button>
      }
    >
      <div className="flex flex-col gap-4">
        <Panel title="This browser">
          <Choice label="Theme">
            <ThemeSwitch />
          </Choice>
          <Choice label="Single-key shortcuts">
            <Segmented
              label="Single-key shortcuts"
              value={shortcuts ? "on" : "off"}
              onValueChange={(value) => setShortcuts(value === "on")}
              options={[
                { value: "on", label: "On" },
                { value: "off", label: "Off" },
              ]}
            />
          </Choice>
          <Choice label="Notifications when a job ends">
            <BrowserNotices />
          </Choice>
        </Panel>
        <NoticesPanel />
        <EndpointsPanel />
        <BasesPanel />
        <TokensPanel />
        <SessionsPanel />
        <CleanUpPanel />
        <TrashPanel />
        <Panel title="Server">
          <dl>
            <Property name="Version">{session.server_version}</Property>
            <Property name="Signed in with">{session.signed_in_with ?? session.token_name}</Property>
            <Property name="Base models">{bases.map((base) => base.name).join(", ")}</Property>
            <LoraFolder />
            <Property name="Audit log">
              <Link to="/audit" className="text-accent underline underline-offset-2">
                Who did what, when and from where
              </Link>
            </Property>
            <Property name="API">
              <a href="/api/openapi.json" className="text-accent underline underline-offset-2">
                OpenAPI document
              </a>
            </Property>
          </dl>
        </Panel>
      </div>
    </Page>
  );
}

/** The browser asks for permission when they are switched on, and never before. */
function BrowserNotices() {
  const state = useBrowserNotices();
  if (state === "unsupported") return <span className="text-muted text-xs">This browser has none here.</span>;
  if (state === "denied") {
    return <span className="text-muted text-xs">Blocked: allow them in the settings of the browser.</span>;
  }
  return (
    <Segmented
      label="Notifications when a job ends"
      value={state}
      onValueChange={(value) => void setBrowserNotices(value === "on")}
      options={[
        { value: "on", label: "On" },
        { value: "off", label: "Off" },
      ]}
    />
  );
}

function Choice({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="flex min-h-10 items-center justify-between gap-4 border-b last:border-b-0">
      <span>{label}</span>
      {children}
    </div>
  );
}
