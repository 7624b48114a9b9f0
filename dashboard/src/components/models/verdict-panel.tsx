// Whether a trained file is fit for use: each check with its numbers.
import { CircleAlert, CircleCheck } from "lucide-react";
import type { Verdict } from "~/api/types";
import { Panel } from "~/components/ui/panel";
import { formatLoss, formatName } from "~/lib/format";
import { VerdictBadge } from "./badges";

export function VerdictPanel({ verdict }: { verdict: Verdict }) {
  return (
    <Panel title="Verdict" aside={<VerdictBadge verdict={verdict} />} bodyClassName="p-0">
      <ul className="divide-y">
        {verdict.checks.map(({ name, passed, detail }) => {
          const Icon = passed ? CircleCheck : CircleAlert;
          return (
            <li key={name} className="flex items-start gap-2.5 px-3 py-2">
              <Icon
                aria-label={passed ? "Passed" : "Failed"}
                role="img"
                className={`mt-0.5 size-4 shrink-0 ${passed ? "text-good" : "text-bad"}`}
              />
              <div className="min-w-0">
                <p className="font-medium">{formatName(name)}</p>
                <p className="break-words text-muted">{detail}</p>
              </div>
            </li>
          );
        })}
      </ul>
      {verdict.validation && <Validation losses={verdict.validation} />}
    </Panel>
  );
}

type Losses = NonNullable<Verdict["validation"]>;

/** Validation loss before and after, at each fixed timestep. */
function Validation({ losses }: { losses: Losses }) {
  const { n_items, timesteps, before, after } = losses;
  const most = Math.max(...before, ...after);
  const mean = (values: number[]) =>
    values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  const change = mean(after) / mean(before) - 1;
  return (
    <div className="border-t p-3">
      <p className="mb-2">
        Validation loss <strong className="font-semibold">{formatLoss(mean(before))}</strong> →{" "}
        <strong className="font-semibold">{formatLoss(mean(after))}</strong>{" "}
        <span className={change < 0 ? "text-good" : "text-bad"}>
          ({change > 0 ? "+" : "−"}
          {Math.abs(100 * change).toFixed(0)}%)
        </span>
        <span className="text-muted"> on {n_items} held-out pictures</span>
      </p>
      <table className="w-full">
        <thead className="eyebrow">
          <tr className="text-left [&>th]:pb-1 [&>th]:font-medium">
            <th scope="col" className="w-20">
              Timestep
            </th>
            <th scope="col">
              <span className="mr-3 inline-flex items-center gap-1">
                <span aria-hidden className="inline-block h-1.5 w-3 bg-faint" />
                without
              </span>
              <span className="inline-flex items-center gap-1">
                <span aria-hidden className="inline-block h-1.5 w-3 bg-accent" />
                with the LoRA
              </span>
            </th>
            <th scope="col" className="text-right">
              Without
            </th>
            <th scope="col" className="text-right">
              With
            </th>
          </tr>
        </thead>
        <tbody>
          {timesteps.map((timestep, i) => (
            <tr key={timestep} className="[&>td]:py-1">
              <td>{timestep}</td>
              <td className="pr-3">
                <Bar share={(before[i] ?? 0) / most} className="bg-faint" />
                <Bar share={(after[i] ?? 0) / most} className="mt-0.5 bg-accent" />
              </td>
              <td className="w-18 text-right">{formatLoss(before[i] ?? Number.NaN)}</td>
              <td className="w-18 text-right">{formatLoss(after[i] ?? Number.NaN)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Bar({ share, className }: { share: number; className: string }) {
  return <div aria-hidden className={`h-1.5 min-w-px ${className}`} style={{ width: `${100 * share}%` }} />;
}
