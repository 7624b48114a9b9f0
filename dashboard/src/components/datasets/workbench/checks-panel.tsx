// What the checks of the dataset found for a purpose, with a repair for each, and what they are asked for.
import { ChevronDown } from "lucide-react";
import { type ComponentProps, useEffect, useState } from "react";
import { useAcknowledge } from "~/api/datasets";
import { describeError } from "~/api/problem";
import type { CheckDataset, Finding } from "~/api/types";
import { FindingsList } from "~/components/datasets/findings-list";
import { Field, Input } from "~/components/ui/field";
import { Select } from "~/components/ui/select";
import { announceError } from "~/components/ui/toast";
import { formatPlural, formatSentence } from "~/lib/format";
import { facetOfCode } from "./facets";
import { type OnView, PURPOSES, TOKENS } from "./view";

interface Props {
  dataset: string;
  asked: CheckDataset;
  findings: Finding[] | undefined;
  /** Pictures that are not measured yet. */
  n_unmeasured: number;
  isMeasuring: boolean;
  error: Error | null;
  onView: OnView;
  /** Splits a picture into panels. */
  onSplit: (item: string) => void;
}

export function ChecksPanel(props: Props) {
  const { dataset, asked, findings, n_unmeasured, isMeasuring, error, onView, onSplit } = props;
  const acknowledge = useAcknowledge(dataset);
  const [isOpen, setOpen] = useState(false);
  return (
    <details
      className="group/checks mb-3 rounded-lg border bg-surface"
      onToggle={(event) => event.target === event.currentTarget && setOpen(event.currentTarget.open)}
    >
      <summary className="flex min-h-10 list-none flex-wrap items-center gap-2 rounded-lg px-3 font-medium hover:bg-hover">
        <ChevronDown
          aria-hidden
          className="-rotate-90 size-4 text-muted transition-transform group-open/checks:rotate-0"
        />
        Checks
        <span role="status" className="font-normal text-muted">
          {error ? "could not be made" : found(findings, n_unmeasured, isMeasuring)}
        </span>
      </summary>
      {isOpen && (
        <div className="border-t p-3">
          <Purpose asked={asked} onView={onView} />
          {error && (
            <p role="alert" className="mt-3 text-bad text-xs">
              {formatSentence(describeError(error))}
            </p>
          )}
          {findings && (
            <FindingsList
              findings={findings}
              onShow={(finding) => {
                const show = facetOfCode(finding.code);
                if (show) onView({ show });
              }}
              onSplit={onSplit}
              onAcknowledge={(finding) =>
                acknowledge.mutate(finding, {
                  onError: (problem) => announceError("The finding was not acknowledged", problem),
                })
              }
            />
          )}
        </div>
      )}
    </details>
  );
}

function Purpose({ asked, onView }: Pick<Props, "asked" | "onView">) {
  return (
    <div className="grid gap-3 sm:grid-cols-2 xl:grid-cols-4">
      <Field label="Trigger word">
        {(control) => (
          <Committed
            {...control}
            text={asked.trigger_word}
            maxLength={80}
            onText={(text) => onView({ trigger: text.trim() })}
          />
        )}
      </Field>
      <Field label="The LoRA is for">
        {({ id }) => (
          <Select
            id={id}
            value={asked.preset}
            onValueChange={(purpose) => onView({ purpose })}
            options={PURPOSES.map((value) => ({ value, label: `A ${value}` }))}
          />
        )}
      </Field>
      <Field label="Resolution" aside="pixels">
        {(control) => (
          <Committed
            {...control}
            text={String(asked.resolution)}
            inputMode="numeric"
            maxLength={4}
            onText={(text) => onView({ resolution: Number(text) })}
          />
        )}
      </Field>
      <Field label="Captions are read to" aside="tokens">
        {({ id }) => (
          <Select
            id={id}
            value={String(asked.max_tokens)}
            onValueChange={(tokens) => onView({ tokens: Number(tokens) })}
            options={TOKENS.map((value) => ({ value: String(value), label: String(value) }))}
          />
        )}
      </Field>
    </div>
  );
}

interface CommittedProps extends Omit<ComponentProps<"input">, "value" | "onChange"> {
  text: string;
  onText: (text: string) => void;
}

/** A field that counts when it is left, or with Enter: each change is checked anew. */
function Committed({ text, onText, ...props }: CommittedProps) {
  const [typed, setTyped] = useState(text);
  useEffect(() => setTyped(text), [text]);
  const commit = () => {
    if (typed !== text) onText(typed);
  };
  return (
    <Input
      {...props}
      value={typed}
      onChange={({ target }) => setTyped(target.value)}
      onBlur={() => {
        commit();
        // What the address does not take is not kept either.
        setTyped(text);
      }}
      onKeyDown={(event) => event.key === "Enter" && commit()}
    />
  );
}

/** `2 warnings, 1 note` */
function found(findings: Finding[] | undefined, n_unmeasured: number, isMeasuring: boolean): string {
  if (!findings) return "Checking…";
  const open = findings.filter(({ code, acknowledged }) => code !== "changed" && !acknowledged);
  const counts = (["error", "warning", "note"] as const).flatMap((severity) => {
    const n = open.filter((one) => one.severity === severity).length;
    return n === 0 ? [] : [formatPlural(n, severity)];
  });
  const pictures = formatPlural(n_unmeasured, "picture");
  const unmeasured = isMeasuring ? `measuring ${pictures}…` : `${pictures} not measured`;
  return `${counts.length > 0 ? counts.join(", ") : "nothing found"}${n_unmeasured > 0 ? ` · ${unmeasured}` : ""}`;
}
