// Adds a webhook, and shows its secret once.
import { type FormEvent, useState } from "react";
import { useCreateWebhook } from "~/api/notices";
import { describeError } from "~/api/problem";
import type { CreatedWebhook, NoticeKind } from "~/api/types";
import { Button } from "~/components/ui/button";
import { CopyButton } from "~/components/ui/copy-button";
import { Field, Input } from "~/components/ui/field";
import { CHOICES, KINDS } from "./kinds";

const USUAL: NoticeKind[] = ["job.succeeded", "job.failed", "job.stopped"];

export function WebhookForm() {
  const create = useCreateWebhook();
  const [name, setName] = useState("");
  const [url, setUrl] = useState("");
  const [events, setEvents] = useState(USUAL);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const added = () => {
      setName("");
      setUrl("");
      setEvents(USUAL);
    };
    create.mutate({ name, url, events }, { onSuccess: added });
  };
  const toggle = (kind: NoticeKind, on: boolean) =>
    setEvents((before) => CHOICES.filter((one) => (one === kind ? on : before.includes(one))));
  return (
    <>
      <form onSubmit={submit} className="flex flex-wrap items-end gap-2">
        <Field label="Name" className="w-40">
          {(control) => (
            <Input
              {...control}
              value={name}
              onChange={(event) => setName(event.target.value)}
              maxLength={80}
              placeholder="Studio chat"
            />
          )}
        </Field>
        <Field label="URL of the webhook" className="min-w-52 flex-1">
          {(control) => (
            <Input
              {...control}
              type="url"
              value={url}
              onChange={(event) => setUrl(event.target.value)}
              placeholder="https://example.org/morpheus"
            />
          )}
        </Field>
        <fieldset className="flex w-full flex-wrap gap-x-4 gap-y-1">
          <legend className="eyebrow mb-1">Tell of</legend>
          {CHOICES.map((kind) => (
            <label key={kind} className="flex items-center gap-1.5">
              <input
                type="checkbox"
                checked={events.includes(kind)}
                onChange={(event) => toggle(kind, event.target.checked)}
              />
              {KINDS[kind]}
            </label>
          ))}
        </fieldset>
        <Button
          type="submit"
          disabled={create.isPending || name.trim() === "" || url.trim() === "" || events.length === 0}
        >
          Add a webhook
        </Button>
        {create.error && (
          <p role="alert" className="w-full text-bad text-xs">
            {describeError(create.error)}
          </p>
        )}
      </form>
      {create.data && <Secret webhook={create.data} />}
    </>
  );
}

/** The secret of a new webhook, once. */
function Secret({ webhook: { name, secret } }: { webhook: CreatedWebhook }) {
  return (
    <div role="status" className="mt-3 rounded-md border border-accent bg-accent-soft p-3">
      <p>
        Copy the secret of {name} now; it is not shown again. The receiver checks with it that a request comes
        from this server.
      </p>
      <div className="mt-2 flex items-center gap-2">
        <code className="min-w-0 flex-1 break-all font-mono text-xs">{secret}</code>
        <CopyButton text={secret} />
      </div>
    </div>
  );
}
