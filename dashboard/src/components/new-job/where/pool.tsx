// The user's own machines, and the labels that this job requires.
import { Link } from "@tanstack/react-router";
import type { PoolMember } from "~/api/types";
import { describeMachine } from "~/components/spend/machine";

interface Props {
  machines: PoolMember[];
  labels: string[];
  error: string | undefined;
  onToggle: (label: string) => void;
}

export function Pool({ machines, labels, error, onToggle }: Props) {
  const known = [...new Set(machines.flatMap((machine) => machine.labels))].sort();
  const fitting = machines.filter((machine) => labels.every((label) => machine.labels.includes(label)));
  return (
    <div className="mt-4 flex flex-col gap-3">
      {machines.length === 0 && (
        <p>
          No machine has connected yet.{" "}
          <Link to="/settings" className="text-accent underline underline-offset-2">
            Create a token for machines
          </Link>{" "}
          and run the command shown there on one of your machines.
        </p>
      )}
      {known.length > 0 && (
        <fieldset>
          <legend className="mb-1 font-medium">Required labels</legend>
          <div className="flex flex-wrap gap-x-4 gap-y-1">
            {known.map((label) => (
              <label key={label} className="flex min-h-6 cursor-pointer items-center gap-2">
                <input
                  type="checkbox"
                  checked={labels.includes(label)}
                  onChange={() => onToggle(label)}
                  className="size-4 accent-accent"
                />
                {label}
              </label>
            ))}
          </div>
        </fieldset>
      )}
      {machines.length > 0 && (
        <ul aria-label="Machines with these labels" className="divide-y rounded-md border">
          {fitting.map((machine) => (
            <li key={machine.name} className="flex flex-wrap items-baseline gap-x-3 px-3 py-2">
              <span className="font-medium">{machine.name}</span>
              <span className="text-muted text-xs">{describeMachine(machine)}</span>
            </li>
          ))}
          {fitting.length === 0 && (
            <li className="px-3 py-2 text-muted">No machine has all of these labels.</li>
          )}
        </ul>
      )}
      {error && (
        <p role="alert" className="break-words text-bad text-xs">
          {error}
        </p>
      )}
    </div>
  );
}
