// One edit of many captions: what is done to them, what it would change, and then the change.
import { useState } from "react";
import { useEditCaptions } from "~/api/datasets";
import { describeError } from "~/api/problem";
import type { CaptionEditReport, EditCaptions, Item } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Field, Input } from "~/components/ui/field";
import { Select } from "~/components/ui/select";
import { formatPlural, formatSentence } from "~/lib/format";
import { FORMS, formOf, toOperation, type Values } from "./operation";

interface Props {
  dataset: string;
  /** The pictures whose captions are edited. */
  shown: readonly Item[];
  /** Pictures of the dataset. */
  n_items: number;
  /** What the form begins with. */
  initial?: Partial<Values>;
}

export function EditForm({ dataset, shown, n_items, initial }: Props) {
  const [values, setValues] = useState<Values>({
    kind: "add_first",
    text: "",
    replacement: "",
    ignoreCase: false,
    ...initial,
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
