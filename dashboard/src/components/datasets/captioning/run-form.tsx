// What a model is asked about which pictures.
import { useState } from "react";
import { useCreateCaptionRun, useTryCaptionEndpoint } from "~/api/captioning";
import { describeError } from "~/api/problem";
import type { CaptionEndpoint, CaptionPolicy, Item } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Field, Input, Textarea } from "~/components/ui/field";
import { Select } from "~/components/ui/select";
import { formatPlural, formatSentence } from "~/lib/format";
import { FIRST, lacksTrigger, TEMPLATES } from "./templates";

const POLICIES: { value: CaptionPolicy; label: string }[] = [
  { value: "keep", label: "Keep them: only pictures without a caption" },
  { value: "add", label: "Propose to add a description" },
  { value: "replace", label: "Propose to replace them" },
];

interface Props {
  dataset: string;
  /** At least one. */
  endpoints: readonly CaptionEndpoint[];
  /** The pictures that may be described. */
  shown: readonly Item[];
  n_items: number;
}

export function RunForm({ dataset, endpoints, shown, n_items }: Props) {
  const create = useCreateCaptionRun(dataset);
  const trial = useTryCaptionEndpoint();
  const [chosen, setEndpoint] = useState("");
  const [prompt, setPrompt] = useState(FIRST);
  const [trigger_word, setTrigger] = useState("");
  const [policy, setPolicy] = useState<CaptionPolicy>("keep");
  const endpoint = endpoints.find(({ id }) => id === chosen) ?? endpoints[0];
  const wanted = shown.filter(({ caption }) => policy !== "keep" || caption.trim() === "");
  const first = wanted[0] ?? shown[0];
  const problem = lacksTrigger(prompt, trigger_word)
    ? "Enter the trigger word, or remove {trigger}."
    : prompt.trim() === ""
      ? "Say what the model is to do."
      : undefined;
  const start = () => {
    if (!endpoint) return;
    const items = shown.length === n_items ? null : wanted.map(({ id }) => id);
    create.mutate({ endpoint_id: endpoint.id, prompt, policy, trigger_word, items });
  };
  const attempt = () => {
    if (!endpoint || !first) return;
    trial.mutate({ endpoint: endpoint.id, dataset_id: dataset, item_id: first.id, prompt, trigger_word });
  };
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        attempt();
      }}
    >
      <div className="grid gap-3 sm:grid-cols-3">
        <Field label="Model">
          {({ id }) => (
            <Select
              id={id}
              value={endpoint?.id ?? null}
              onValueChange={setEndpoint}
              options={endpoints.map(({ id, name, model }) => ({ value: id, label: name, detail: model }))}
            />
          )}
        </Field>
        <Field label="Captions that there are">
          {({ id }) => <Select id={id} value={policy} onValueChange={setPolicy} options={POLICIES} />}
        </Field>
        <Field label="Trigger word">
          {(control) => (
            <Input
              {...control}
              value={trigger_word}
              placeholder="None"
              onChange={({ target }) => setTrigger(target.value)}
            />
          )}
        </Field>
      </div>
      <Field
        label="What the model is told"
        error={problem}
        help="{trigger} becomes the trigger word, {tags} the caption that there is, {name} the file's name."
      >
        {(control) => (
          <Textarea
            {...control}
            value={prompt}
            maxLength={4000}
            onChange={({ target }) => setPrompt(target.value)}
          />
        )}
      </Field>
      <fieldset className="flex flex-wrap items-center gap-1.5">
        <legend className="sr-only">Examples</legend>
        {TEMPLATES.map((template) => (
          <Button key={template.label} size="sm" onClick={() => setPrompt(template.prompt)}>
            {template.label}
          </Button>
        ))}
      </fieldset>
      <div className="flex flex-wrap items-center gap-2">
        <Button type="submit" disabled={!first || problem !== undefined || trial.isPending}>
          Try it on {first?.file_name ?? "a picture"}
        </Button>
        <Button
          variant="primary"
          disabled={wanted.length === 0 || problem !== undefined || create.isPending}
          onClick={start}
        >
          Describe {formatPlural(wanted.length, "picture")}
        </Button>
      </div>
      <div role="status" className="wrap-anywhere">
        {trial.isPending && "The model is asked…"}
        {trial.data?.text}
        {trial.data?.error && <span className="text-bad">{formatSentence(trial.data.error)}</span>}
      </div>
      {(create.error ?? trial.error) && (
        <p role="alert" className="text-bad text-xs">
          {formatSentence(describeError(create.error ?? trial.error))}
        </p>
      )}
    </form>
  );
}
