// Endpoints whose models describe pictures.
import { useSuspenseQuery } from "@tanstack/react-query";
import { Trash2 } from "lucide-react";
import { type FormEvent, useState } from "react";
import { captionEndpointsQuery, useCreateCaptionEndpoint, useDeleteCaptionEndpoint } from "~/api/captioning";
import { describeError } from "~/api/problem";
import type { CaptionEndpoint } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Confirm } from "~/components/ui/confirm";
import { Field, Input } from "~/components/ui/field";
import { Panel } from "~/components/ui/panel";
import { announceError } from "~/components/ui/toast";
import { formatSentence } from "~/lib/format";

export function EndpointsPanel() {
  const { data: endpoints } = useSuspenseQuery(captionEndpointsQuery());
  return (
    <Panel title="Models that describe pictures">
      <p className="mb-3 text-muted text-xs">
        A model behind an OpenAI-compatible API (Ollama, vLLM, llama.cpp, LM Studio, or a service) writes
        captions for your datasets. The pictures are sent to it. For one on this machine or in a private
        network, start the server with its range, such as <code>--allow-fetch-from 127.0.0.0/8</code>.
      </p>
      <EndpointForm />
      {endpoints.length > 0 && (
        <ul className="mt-4 divide-y border-t">
          {endpoints.map((endpoint) => (
            <Row key={endpoint.id} endpoint={endpoint} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

const EMPTY = { name: "", url: "", model: "", key: "" };

function EndpointForm() {
  const create = useCreateCaptionEndpoint();
  const [values, setValues] = useState(EMPTY);
  const change = (own: Partial<typeof EMPTY>) => setValues({ ...values, ...own });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate({ ...values, key: values.key || null }, { onSuccess: () => setValues(EMPTY) });
  };
  const isMissing = [values.name, values.url, values.model].some((text) => text.trim() === "");
  return (
    <form onSubmit={submit} className="flex flex-wrap items-end gap-2">
      <Field label="Name" className="w-32">
        {(control) => (
          <Input
            {...control}
            value={values.name}
            maxLength={80}
            placeholder="Ollama"
            onChange={({ target }) => change({ name: target.value })}
          />
        )}
      </Field>
      <Field label="Base URL" className="min-w-52 flex-1">
        {(control) => (
          <Input
            {...control}
            type="url"
            value={values.url}
            placeholder="http://localhost:11434/v1"
            onChange={({ target }) => change({ url: target.value })}
          />
        )}
      </Field>
      <Field label="Model" className="w-44">
        {(control) => (
          <Input
            {...control}
            value={values.model}
            maxLength={200}
            placeholder="qwen2.5vl:7b"
            onChange={({ target }) => change({ model: target.value })}
          />
        )}
      </Field>
      <Field label="Key, if it needs one" className="w-44">
        {(control) => (
          <Input
            {...control}
            type="password"
            autoComplete="new-password"
            value={values.key}
            onChange={({ target }) => change({ key: target.value })}
          />
        )}
      </Field>
      <Button type="submit" disabled={create.isPending || isMissing}>
        Add an endpoint
      </Button>
      {create.error && (
        <p role="alert" className="w-full text-bad text-xs">
          {formatSentence(describeError(create.error))}
        </p>
      )}
    </form>
  );
}

function Row({ endpoint: { id, name, model, origin, has_key } }: { endpoint: CaptionEndpoint }) {
  const remove = useDeleteCaptionEndpoint();
  return (
    <li className="flex items-center gap-3 py-1.5">
      <div className="min-w-0 flex-1">
        <p className="truncate font-medium">{name}</p>
        <p className="truncate text-muted text-xs">
          {model} at {origin}
          {has_key && ", with a key"}
        </p>
      </div>
      <Confirm
        trigger={
          <Button variant="ghost" size="icon-sm" aria-label={`Delete the endpoint ${name}`}>
            <Trash2 aria-hidden />
          </Button>
        }
        title={`Delete the endpoint ${name}?`}
        description="Pictures that it is describing now are not described further. What it has proposed stays."
        action="Delete"
        onConfirm={() =>
          remove.mutate(id, { onError: (error) => announceError("The endpoint was not deleted", error) })
        }
      />
    </li>
  );
}
