// What is known of a trained file: whether it is healthy, and apart from that what it does.
import { CircleAlert, CircleCheck, CircleDot } from "lucide-react";
import type { Verdict } from "~/api/types";
import { Panel } from "~/components/ui/panel";
import { formatLoss, formatName, formatSentence } from "~/lib/format";
import { fileStamp, resultLines } from "./stamps";

export function VerdictPanel({ verdict }: { verdict: Verdict }) {
  const file = fileStamp(verdict);
  const results = resultLines(verdict);
  return (
    <Panel title="Verdict" bodyClassName="p-0">
      <details className="border-b px-3 py-2">
        <summary className="cursor-pointer">
          <Mark good={file.healthy} className="mr-2 inline" />
          <span className="font-medium">{file.text}</span>
        </summary>
        <ul aria-label="Checks of the file" className="mt-2 space-y-1">
          {file.checks.map(({ name, passed, detail }) => (
            <li key={name} className="flex items-start gap-2">
              <Mark good={passed} />
              <span className="min-w-0 break-words">
                {formatName(name)}: <span className="text-muted">{detail}</span>
              </span>
            </li>
          ))}
        </ul>
      </details>
      <div className="px-3 py-2">
        <p className="eyebrow mb-1">Result</p>
        {results.length === 0 ? (
          <p className="text-muted">The file cannot be drawn with, so nothing was measured.</p>
        ) : (
          <ul aria-label="Result" className="space-y-1">
            {results.map(({ name, good, text }) => (
              <li key={name} className="flex items-start gap-2">
                {good ? (
                  <CircleDot aria-hidden className="mt-0.5 size-4 shrink-0 text-muted" />
                ) : (
                  <CircleAlert
                    role="img"
                    aria-label="Look at this"
                    className="mt-0.5 size-4 shrink-0 text-warning"
                  />
                )}
                <span className="min-w-0 break-words">{formatSentence(text)}</span>
              </li>
            ))}
          </ul>
        )}
        <p className="mt-1.5 text-muted text-xs">
          Whether it looks right, only pictures show: try it in the playground.
        </p>
      </div>
      {verdict.validation && <Validation losses={verdict.validation} />}
    </Panel>
  );
}

function Mark({ good, className = "" }: { good: boolean; className?: string }) {
  const Icon = good ? CircleCheck : CircleAlert;
  return (
    <Icon
      role="img"
      aria-label={good ? "OK" : "Problem"}
      className={`mt-0.5 size-4 shrink-0 ${good ? "text-good" : "text-bad"} ${className}`}
    />
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
