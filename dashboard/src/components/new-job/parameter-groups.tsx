// The hyperparameters that most people leave to the preset, in named groups.
import { ChevronDown } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import type { Parameters } from "~/api/types";
import { formatName } from "~/lib/format";
import { GROUPS, isChanged, type ParameterName, parameterError, type Typed } from "./parameters";

/** A field of a group that is no hyperparameter. */
export interface Extra {
  group: string;
  label: string;
  isChanged: boolean;
  isWrong: boolean;
  field: ReactNode;
}

interface Props {
  typed: Typed;
  preset: Parameters | undefined;
  /** The fields at fault, as `parameters.rank`. */
  errors: Record<string, string>;
  extras?: Extra[];
  children: (name: ParameterName) => ReactNode;
}

export function ParameterGroups({ typed, preset, errors, extras = [], children }: Props) {
  const isWrong = (name: ParameterName) => {
    const text = typed[name];
    const refused = errors[`parameters.${name}`] !== undefined;
    return refused || (text !== undefined && parameterError(name, text) !== undefined);
  };
  return (
    <div className="mt-5 divide-y rounded-lg border">
      {GROUPS.map(({ name: group, title, fields }) => {
        const all = [
          ...extras.filter((extra) => extra.group === group),
          ...fields.map((name) => ({
            label: formatName(name),
            isChanged: isChanged(name, typed[name], preset?.[name]),
            isWrong: isWrong(name),
            field: children(name),
          })),
        ];
        return (
          <Group
            key={group}
            title={title}
            labels={all.map(({ label }) => label)}
            changed={all.filter((one) => one.isChanged).map(({ label }) => label)}
            n_wrong={all.filter((one) => one.isWrong).length}
          >
            {all.map(({ field }) => field)}
          </Group>
        );
      })}
    </div>
  );
}

interface GroupProps {
  title: string;
  labels: string[];
  changed: string[];
  n_wrong: number;
  children: ReactNode;
}

function Group({ title, labels, changed, n_wrong, children }: GroupProps) {
  const [isOpen, setOpen] = useState(false);
  const isWrong = n_wrong > 0;
  // A fault opens the group. Correcting it does not close it under the hands of whoever types.
  useEffect(() => {
    if (isWrong) setOpen(true);
  }, [isWrong]);
  return (
    <details className="group" open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="flex min-h-10 list-none items-center gap-2 px-3 py-1.5 hover:bg-hover">
        <ChevronDown
          aria-hidden
          className="-rotate-90 size-4 shrink-0 text-muted transition-transform group-open:rotate-0"
        />
        <span className="shrink-0 font-medium">{title}</span>
        {isWrong && <span className="shrink-0 text-bad text-xs">{n_wrong} to correct</span>}
        {changed.length > 0 && (
          <span className="shrink-0 rounded-sm bg-accent-soft px-1.5 text-accent text-xs">
            {changed.length} changed
          </span>
        )}
        <span className="truncate text-muted">{(changed.length > 0 ? changed : labels).join(", ")}</span>
      </summary>
      <div className="grid gap-x-4 gap-y-5 border-t p-3 @lg:grid-cols-2 @min-[44rem]:grid-cols-3">
        {children}
      </div>
    </details>
  );
}
