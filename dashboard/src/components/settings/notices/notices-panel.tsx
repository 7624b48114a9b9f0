// How people are told of jobs: webhooks, mail, and what was delivered.
import { useQuery, useSuspenseQuery } from "@tanstack/react-query";
import { Send, Trash2 } from "lucide-react";
import { useDeleteWebhook, useSendTest, webhooksQuery } from "~/api/notices";
import { systemQuery } from "~/api/queries";
import type { Webhook } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Confirm } from "~/components/ui/confirm";
import { Panel } from "~/components/ui/panel";
import { announceError } from "~/components/ui/toast";
import { formatSentence } from "~/lib/format";
import { Deliveries } from "./deliveries";
import { KINDS } from "./kinds";
import { WebhookForm } from "./webhook-form";

export function NoticesPanel() {
  const { data: webhooks } = useSuspenseQuery(webhooksQuery());
  const { data: system } = useQuery(systemQuery());
  return (
    <Panel title="When a job ends">
      <p className="mb-3 text-muted text-xs">
        A webhook is an address that gets a signed request when a job ends, for a chat, a script or another
        program.
      </p>
      <WebhookForm />
      {webhooks.length > 0 && (
        <ul className="mt-4 divide-y border-t">
          {webhooks.map((webhook) => (
            <Row key={webhook.id} webhook={webhook} />
          ))}
        </ul>
      )}
      <div className="mt-4 flex min-h-10 items-center justify-between gap-4 border-t pt-2">
        <p className="text-muted text-xs">
          {system?.sends_mail
            ? "Mail is sent to the addresses of the server's settings."
            : "To get mail as well, start the server with --smtp-url, --mail-from and --mail-to."}
        </p>
        {system?.sends_mail && <TestButton id={null} label="Send a test mail" />}
      </div>
      <Deliveries />
    </Panel>
  );
}

function Row({ webhook }: { webhook: Webhook }) {
  const remove = useDeleteWebhook();
  const { name } = webhook;
  return (
    <li className="flex items-center gap-3 py-1.5">
      <div className="min-w-0 flex-1">
        <p className="truncate font-medium">{name}</p>
        <p className="text-muted text-xs">
          {webhook.origin}: {webhook.events.map((event) => KINDS[event]).join(", ")}
        </p>
        {webhook.disabled && <p className="text-bad text-xs">Disabled. {formatSentence(webhook.disabled)}</p>}
      </div>
      {!webhook.disabled && <TestButton id={webhook.id} label={`Send a test to ${name}`} />}
      <Confirm
        trigger={
          <Button variant="ghost" size="icon-sm" aria-label={`Delete the webhook ${name}`}>
            <Trash2 aria-hidden />
          </Button>
        }
        title={`Delete the webhook ${name}?`}
        description="Nothing is sent to it any more, and its deliveries disappear from the list."
        action="Delete"
        onConfirm={() =>
          remove.mutate(webhook.id, {
            onError: (error) => announceError("The webhook was not deleted", error),
          })
        }
      />
    </li>
  );
}

function TestButton({ id, label }: { id: string | null; label: string }) {
  const test = useSendTest();
  return (
    <Button
      size="sm"
      aria-label={label}
      disabled={test.isPending}
      onClick={() => test.mutate(id, { onError: (error) => announceError("No test was sent", error) })}
    >
      <Send aria-hidden />
      Test
    </Button>
  );
}
