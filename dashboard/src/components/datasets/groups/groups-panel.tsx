// How often a training shows the pictures of each group, and which are there for regularization.
import { ChevronDown, Scale } from "lucide-react";
import { useId, useState } from "react";
import { useUpdateGroups } from "~/api/datasets";
import { fields } from "~/api/fields";
import type { Item } from "~/api/types";
import { fieldError } from "~/components/new-job/field-error";
import { Button } from "~/components/ui/button";
import { Input } from "~/components/ui/field";
import { announceError } from "~/components/ui/toast";
import { formatCount, formatPlural } from "~/lib/format";
import { balanced, type Group, groupsOf, isBalanced } from "./groups";

interface Props {
  dataset: string;
  items: Item[];
}

export function GroupsPanel({ dataset, items }: Props) {
  const groups = groupsOf(items);
  const update = useUpdateGroups(dataset);
  const change = (changes: Parameters<typeof update.mutate>[0]) =>
    update.mutate(changes, { onError: (error) => announceError("The groups were not changed", error) });
  const n_subjects = balanced(groups).length;
  return (
    <details className="group my-3 rounded-lg border bg-surface">
      <summary className="flex min-h-10 list-none flex-wrap items-center gap-2 rounded-lg px-3 font-medium hover:bg-hover">
        <ChevronDown
          aria-hidden
          className="-rotate-90 size-4 text-muted transition-transform group-open:rotate-0"
        />
        Groups and repeats
        <span className="font-normal text-muted">{summary(groups)}</span>
      </summary>
      <div className="flex flex-col gap-3 border-t p-3">
        <p className="text-muted text-xs">
          A folder of an uploaded zip is a group, and <code>10_name</code> is shown ten times in an epoch.
          Regularization pictures show what the trigger word is not: they are trained on without it, and
          repeated until they are as many as the others.
        </p>
        <table className="w-full border-separate border-spacing-y-1 text-left">
          <thead>
            <tr className="eyebrow">
              <th scope="col">Group</th>
              <th scope="col">Pictures</th>
              <th scope="col">Repeats</th>
              <th scope="col" className="hidden sm:table-cell">
                Shown in an epoch
              </th>
              <th scope="col">Regularization</th>
            </tr>
          </thead>
          <tbody>
            {groups.map((group) => (
              <GroupRow
                key={group.name}
                group={group}
                onChange={(own) => change([{ group: group.name, ...own }])}
              />
            ))}
          </tbody>
        </table>
        {n_subjects > 1 && (
          <Button
            size="sm"
            className="self-start"
            disabled={isBalanced(groups) || update.isPending}
            onClick={() => change(balanced(groups))}
          >
            <Scale aria-hidden />
            {isBalanced(groups) ? "Every group is shown about as often" : "Show every group about as often"}
          </Button>
        )}
      </div>
    </details>
  );
}

interface RowProps {
  group: Group;
  onChange: (change: { repeats?: number; regularization?: boolean }) => void;
}

function GroupRow({ group, onChange }: RowProps) {
  const id = useId();
  const [typed, setTyped] = useState<string | null>(null);
  const name = group.name || "No group";
  const error = typed !== null && typed !== "" ? fieldError(fields.UpdateItem.repeats, typed) : undefined;
  const save = () => {
    if (typed && !error && Number(typed) !== group.repeats) onChange({ repeats: Number(typed) });
    setTyped(null);
  };
  return (
    <tr>
      <th scope="row" className="wrap-anywhere pr-3 font-normal">
        {group.name || <span className="text-muted">No group</span>}
      </th>
      <td className="pr-3 tabular-nums">{formatCount(group.n_items)}</td>
      <td className="pr-3">
        <Input
          aria-label={`Repeats of ${name}`}
          aria-invalid={error ? true : undefined}
          aria-describedby={error ? id : undefined}
          inputMode="numeric"
          className="w-16 sm:w-24"
          placeholder="mixed"
          value={typed ?? group.repeats ?? ""}
          onChange={({ target }) => setTyped(target.value)}
          onBlur={save}
          onKeyDown={(event) => {
            if (event.key === "Enter") save();
            if (event.key === "Escape") setTyped(null);
          }}
        />
        {error && (
          <p id={id} role="alert" className="text-bad text-xs">
            {error}
          </p>
        )}
      </td>
      <td className="hidden pr-3 tabular-nums sm:table-cell">
        {group.regularization ? (
          <span className="text-muted">as often as the others</span>
        ) : (
          formatCount(group.n_views)
        )}
      </td>
      <td>
        <input
          type="checkbox"
          aria-label={`${name} is for regularization`}
          className="size-4 accent-accent"
          checked={group.regularization === true}
          onChange={({ target }) => onChange({ regularization: target.checked })}
        />
      </td>
    </tr>
  );
}

function summary(groups: Group[]): string {
  const named = groups.filter((group) => group.name !== "");
  const n_views = groups.reduce((sum, group) => sum + group.n_views, 0);
  const others = groups.some((group) => group.n_items > 0 && group.regularization !== false);
  const shown = `${formatPlural(n_views, "view")} in an epoch${others ? ", and as many for regularization" : ""}`;
  return named.length === 0 ? shown : `${formatPlural(named.length, "group")} · ${shown}`;
}
