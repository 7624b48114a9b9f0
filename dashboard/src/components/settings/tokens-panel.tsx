// API tokens: for scripts, other programs and machines.

import { useSuspenseQuery } from "@tanstack/react-query";
import { Trash2 } from "lucide-react";
import { type FormEvent, useState } from "react";
import { useCreateToken, useDeleteToken } from "~/api/access";
import { describeError } from "~/api/problem";
import { tokensQuery } from "~/api/queries";
import type { ApiToken, CreatedToken, TokenScope } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Confirm } from "~/components/ui/confirm";
import { CopyButton } from "~/components/ui/copy-button";
import { Field, Input } from "~/components/ui/field";
import { Panel } from "~/components/ui/panel";
import { Said } from "~/components/ui/said";
import { Segmented } from "~/components/ui/segmented";
import { Select } from "~/components/ui/select";
import { announceError } from "~/components/ui/toast";
import { formatAgo, formatDay, formatSentence } from "~/lib/format";

type Days = "never" | "7" | "30" | "90" | "365";

const LIFETIMES: { value: Days; label: string }[] = [
  { value: "never", label: "Never" },
  { value: "7", label: "After 7 days" },
  { value: "30", label: "After 30 days" },
  { value: "90", label: "After 90 days" },
  { value: "365", label: "After a year" },
];

export function TokensPanel() {
  const { data: tokens } = useSuspenseQuery(tokensQuery());
  const create = useCreateToken();
  const [name, setName] = useState("");
  const [scope, setScope] = useState<TokenScope>("user");
  const [days, setDays] = useState<Days>("never");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const token = { name, scope, ...(days !== "never" && { expires_in_days: Number(days) }) };
    create.mutate(token, { onSuccess: () => setName("") });
  };
  return (
    <Panel title="API tokens">
      <Segmented
        label="Who uses the token"
        value={scope}
        onValueChange={(value) => setScope(value)}
        options={[
          { value: "user", label: "Programs" },
          { value: "agent", label: "Machines that train" },
        ]}
      />
      <p className="mt-2 mb-3 text-muted text-xs">
        {scope === "user"
          ? "Full access to your account, for scripts and other programs."
          : "Machines with this token can take your jobs and nothing else. One token is enough for all machines."}
      </p>
      <form onSubmit={submit} className="flex flex-wrap items-end gap-2">
        <Field label="What the token is for" className="min-w-40 flex-1">
          {(control) => (
            <Input
              {...control}
              value={name}
              onChange={(event) => setName(event.target.value)}
              maxLength={80}
              placeholder={scope === "user" ? "ComfyUI workflow" : "Workshop"}
            />
          )}
        </Field>
        <Field label="Expires" className="w-36">
          {(control) => (
            <Select
              id={control.id}
              describedBy={control["aria-describedby"]}
              value={days}
              onValueChange={setDays}
              options={LIFETIMES}
            />
          )}
        </Field>
        <Button type="submit" disabled={create.isPending || name.trim() === ""}>
          Create a token
        </Button>
        {create.error && (
          <p role="alert" className="w-full text-bad text-xs">
            <Said>{formatSentence(describeError(create.error))}</Said>
          </p>
        )}
      </form>
      {create.data && <Secret token={create.data} />}
      {tokens.length > 0 && (
        <ul className="mt-4 divide-y border-t">
          {tokens.map((token) => (
            <Row key={token.id} token={token} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Secret({ token: { secret, scope } }: { token: CreatedToken }) {
  const isForMachines = scope === "agent";
  const text = isForMachines
    ? `MORPHEUS_TOKEN=${secret} morpheus agent --server ${window.location.origin}`
    : secret;
  return (
    <div role="status" className="mt-3 rounded-md border border-accent bg-accent-soft p-3">
      <p>
        Copy it now; it is not shown again.{" "}
        {isForMachines
          ? "Run this on each machine. Add --label for each label that jobs can require."
          : "Send it as a bearer token."}
      </p>
      <div className="mt-2 flex items-center gap-2">
        <code className="min-w-0 flex-1 break-all font-mono text-xs">{text}</code>
        <CopyButton text={text} />
      </div>
    </div>
  );
}

function Row({ token }: { token: ApiToken }) {
  const remove = useDeleteToken();
  return (
    <li className="flex items-center gap-3 py-1.5">
      <div className="min-w-0 flex-1">
        <p className="truncate font-medium">{token.name}</p>
        <p className="text-muted text-xs">
          {token.scope === "agent" && "for machines, "}made {formatAgo(token.created_at)},{" "}
          {token.last_used_at ? `used ${formatAgo(token.last_used_at)}` : "never used"}
          {token.made_by && `, made by ${token.made_by}`}
        </p>
        {token.expires_at && (
          <p className={isOver(token.expires_at) ? "text-bad text-xs" : "text-muted text-xs"}>
            {isOver(token.expires_at) ? "Expired on" : "Expires on"} {formatDay(token.expires_at)}
          </p>
        )}
      </div>
      <Confirm
        trigger={
          <Button variant="ghost" size="icon-sm" aria-label={`Delete the token ${token.name}`}>
            <Trash2 aria-hidden />
          </Button>
        }
        title={`Delete the token ${token.name}?`}
        description="Anything that uses this token stops working, and browsers that were signed in with it are signed out."
        action="Delete"
        onConfirm={() =>
          remove.mutate(token.id, { onError: (error) => announceError("The token was not deleted", error) })
        }
      />
    </li>
  );
}

function isOver(at: string): boolean {
  return Date.parse(at) < Date.now();
}
