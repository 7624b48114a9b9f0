// Edits of many captions: the difference is shown before it is made, and each edit can be undone.
import { ChevronDown } from "lucide-react";
import { useState } from "react";
import { useEditCaptions } from "~/api/datasets";
import { describeError } from "~/api/problem";
import type { CaptionEditReport, EditCaptions, Item } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Field, Input } from "~/components/ui/field";
import { Select } from "~/components/ui/select";
import { formatPlural, formatSentence } from "~/lib/format";
import { EditHistory } from "./edit-history";
import { FORMS, formOf, toOperation, type Values } from "./operation";

interface Props {
  dataset: string;
  /** The pictures that the search and the filter leave. */
  shown: Item[];
  /** Pictures of the dataset. */
  n_items: number;
}

export function CaptionEditsPanel({ dataset, shown, n_items }: Props) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details
      className="group my-3 rounded-lg border bg-surface"
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary className="flex min-h-10 list-none flex-wrap items-center gap-2 rounded-lg px-3 font-medium hover:bg-hover">
        <ChevronDown
          aria-hidden
          className="-rotate-90 size-4 text-muted transition-transform group-open:rotate-0"
        />
        Edit many captions
        <span className="font-normal text-muted">{ofPictures(shown.length, n_items)}</span>
      </summary>
      {isOpen && (
        <div className="flex flex-col gap-3 border-t p-3">
          <EditForm dataset={dataset} shown={shown} n_items={n_items} />
          <EditHistory dataset={dataset} />
        </div>
      )}
    </details>
  );
}

function EditForm({ dataset, shown, n_items }: Props) {
  const [values, setValues] = useState<Values>({
    kind: "add_first",
    text: "",
    replacement: "",
    ignoreCase: false,
  });
  const [seen, setSeen] = useState<{ edit: string; report: CaptionEditReport }>();
  const [done, setDone] = useState("");
  const preview = useEditCaptions(dataset);
  const apply = useEditCaptions(dataset);
  const operation = toOperation(values);
  const items = shown.length === n_items ? null : shown.map(({ id }) => id);
  const edit: EditCaptions | undefined =
    operation && shown.length > 0 ? { operation, items, dry_run: false } : undefined;
  // A difference is shown as long as it is that of the form.
  const key = JSON.stringify(edit);
  const report = seen && seen.edit === key ? seen.report : undefined;
  const { text, help, replacement } = formOf(values.kind);
  const change = (own: Partial<Values>) => {
    setValues({ ...values, ...own });
    setDone("");
    preview.reset();
    apply.reset();
  };
  const show = () => {
    if (!edit) return;
    preview.mutate(
      { ...edit, dry_run: true },
      { onSuccess: (found) => setSeen({ edit: key, report: found }) },
    );
  };
  const make = () => {
    if (!edit) return;
    apply.mutate(edit, {
      onSuccess: ({ n_changed }) => {
        setSeen(undefined);
        setDone(`${formatPlural(n_changed, "caption")} changed.`);
      },
    });
  };
  const error = apply.error ?? preview.error;
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        show();
      }}
    >
      <div className="grid gap-3 sm:grid-cols-3">
        <Field label="What to do">
          {({ id }) => (
            <Select
              id={id}
              value={values.kind}
              onValueChange={(kind) => change({ kind })}
              options={FORMS.map(({ kind, label }) => ({ value: kind, label }))}
            />
          )}
        </Field>
        <Field label={text} help={help}>
          {(control) => (
            <Input
              {...control}
              value={values.text}
              maxLength={1000}
              onChange={(event) => change({ text: event.target.value })}
            />
          )}
        </Field>
        {replacement && (
          <Field label={replacement}>
            {(control) => (
              <Input
                {...control}
                value={values.replacement}
                maxLength={1000}
                onChange={(event) => change({ replacement: event.target.value })}
              />
            )}
          </Field>
        )}
      </div>
      {(values.kind === "replace" || values.kind === "replace_pattern") && (
        <label className="flex items-center gap-2">
          <input
            type="checkbox"
            checked={values.ignoreCase}
            onChange={(event) => change({ ignoreCase: event.target.checked })}
          />
          Upper and lower case are the same
        </label>
      )}
      <div className="flex flex-wrap items-center gap-2">
        <Button type="submit" disabled={!edit || preview.isPending}>
          Show the difference
        </Button>
        {report && report.n_changed > 0 && (
          <Button variant="primary" disabled={apply.isPending} onClick={make}>
            Change {formatPlural(report.n_changed, "caption")}
          </Button>
        )}
        <p role="status" className="text-muted">
          {report ? says(report) : done}
        </p>
      </div>
      {error && (
        <p role="alert" className="text-bad text-xs">
          {formatSentence(describeError(error))}
        </p>
      )}
      {report && report.changes.length > 0 && <Difference report={report} />}
    </form>
  );
}

function Difference({ report }: { report: CaptionEditReport }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard
    <section aria-label="Difference" tabIndex={0} className="max-h-80 overflow-y-auto rounded-md border">
      <ul className="divide-y text-xs">
        {report.changes.map(({ item_id, file_name, before, after }) => (
          <li key={item_id} className="wrap-anywhere px-2.5 py-1.5">
            <span className="font-medium">{file_name}</span>
            <del className="block text-muted">{before || "(empty)"}</del>
            <ins className="block no-underline">{after || "(empty)"}</ins>
          </li>
        ))}
      </ul>
    </section>
  );
}

function says({ n_changed, changes }: CaptionEditReport): string {
  if (n_changed === 0) return "No caption changes.";
  const change = n_changed === 1 ? "changes" : "change";
  const first = changes.length < n_changed ? ` The first ${changes.length} are shown.` : "";
  return `${formatPlural(n_changed, "caption")} ${change}.${first}`;
}

function ofPictures(n_shown: number, n_items: number): string {
  if (n_shown === n_items) return "of all pictures";
  return `of the ${formatPlural(n_shown, "picture")} that ${n_shown === 1 ? "is" : "are"} shown`;
}
