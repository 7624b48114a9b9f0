// The hyperparameters that most people leave to the preset, in named groups.
import { ChevronDown } from "lucide-react";
import type { ReactNode } from "react";
import { formatName } from "~/lib/format";
import { GROUPS, type ParameterName, type Typed } from "./parameters";

interface Props {
  typed: Typed;
  /** The fields at fault, as `parameters.rank`. */
  errors: Record<string, string>;
  children: (name: ParameterName) => ReactNode;
}

export function ParameterGroups({ typed, errors, children }: Props) {
  return (
    <div className="mt-5 divide-y rounded-lg border">
      {GROUPS.map(({ name, title, fields }) => {
        const isWrong = fields.some((field) => errors[`parameters.${field}`] !== undefined);
        return (
          <details key={name} className="group" {...(isWrong && { open: true })}>
            <summary className="flex min-h-10 list-none items-center gap-2 px-3 py-1.5 font-medium hover:bg-hover">
              <ChevronDown
                aria-hidden
                className="-rotate-90 size-4 shrink-0 text-muted transition-transform group-open:rotate-0"
              />
              <span className="shrink-0">{title}</span>
              <span className="truncate font-normal text-muted">{summary(fields, typed)}</span>
            </summary>
            <div className="grid gap-x-4 gap-y-5 border-t p-3 sm:grid-cols-2 xl:grid-cols-3">
              {fields.map(children)}
            </div>
          </details>
        );
      })}
    </div>
  );
}

/** What is changed in a group, or what there is. */
function summary(fields: ParameterName[], typed: Typed): string {
  const changed = fields.filter((name) => typed[name] !== undefined);
  if (changed.length > 0) return `${changed.length} changed: ${changed.map(formatName).join(", ")}`;
  return fields.map(formatName).join(", ");
}
