// Providers: their state, and the button that resumes renting after a halt.
import { CircleAlert, Cloud, Monitor, Play } from "lucide-react";
import { useResumeProvider } from "~/api/spend";
import type { ProviderInfo } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Panel } from "~/components/ui/panel";
import { announce, announceError } from "~/components/ui/toast";
import { formatAgo, formatPlural, formatSentence } from "~/lib/format";
import { formatUsdUp } from "~/lib/money";
import { useNow } from "~/lib/use-now";
import { describeMachine } from "./machine";
import { providerName } from "./provider-name";

export function ProviderCards({ providers }: { providers: ProviderInfo[] }) {
  const now = useNow(5_000);
  return (
    <Panel title="Providers" bodyClassName="">
      <ul className="divide-y">
        {providers.map((provider) => (
          <li key={provider.name} className="p-3">
            <Card provider={provider} now={now} />
          </li>
        ))}
      </ul>
      {!providers.some(({ is_rented }) => is_rented) && (
        <p className="border-t p-3 text-muted text-xs">
          No GPU can be rented, so nothing is spent. To rent one, start the server with the key of a provider,
          such as <code>MORPHEUS_RUNPOD_KEY</code>. Set a limit first: no machine is rented beyond it.
        </p>
      )}
    </Panel>
  );
}

function Card({ provider, now }: { provider: ProviderInfo; now: number }) {
  const {
    name,
    is_rented,
    max_running,
    seen_at,
    halted,
    n_foreign,
    foreign_rate_micro_usd,
    machines = [],
  } = provider;
  const Icon = is_rented ? Cloud : Monitor;
  return (
    <>
      <h3 className="flex items-center gap-2 font-medium">
        <Icon aria-hidden className="size-4 text-muted" />
        {providerName(name, [provider])}
      </h3>
      <p className="mt-0.5 text-muted text-xs">
        {is_rented ? "Paid rental" : "Free"} ·{" "}
        {max_running === 0 ? "no machine connected" : `up to ${formatPlural(max_running, "job")} at a time`}
        {is_rented && ` · ${seen_at ? `last response ${formatAgo(seen_at, now)}` : "not contacted yet"}`}
      </p>
      {machines.length > 0 && (
        <ul className="mt-2 flex flex-col gap-1 text-xs">
          {machines.map((machine) => (
            <li key={machine.name}>
              <span className="font-medium">{machine.name}</span>{" "}
              <span className="text-muted">
                {[describeMachine(machine), ...machine.labels].join(", ")} · last seen{" "}
                {formatAgo(machine.seen_at, now)}
              </span>
              {machine.problem && (
                <p className="text-bad">
                  Gets no work: {machine.name} {machine.problem}.
                </p>
              )}
            </li>
          ))}
        </ul>
      )}
      {halted && <Halted name={name} reason={halted} />}
      {n_foreign > 0 && (
        <p className="mt-2 text-xs">
          {formatPlural(n_foreign, "machine")} of the account {n_foreign === 1 ? "was" : "were"} not rented by
          Morpheus: {formatUsdUp(foreign_rate_micro_usd)} per hour. They count in no budget and are never
          touched.
        </p>
      )}
    </>
  );
}

function Halted({ name, reason }: { name: string; reason: string }) {
  const resume = useResumeProvider();
  return (
    <div role="alert" className="mt-2 rounded-md border border-bad bg-bad-soft p-2.5">
      <p className="flex gap-2">
        <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-bad" />
        <span className="min-w-0 break-words">
          <strong className="font-semibold">Renting is paused.</strong> {formatSentence(reason)}
        </span>
      </p>
      <Button
        size="sm"
        className="mt-2"
        disabled={resume.isPending}
        onClick={() =>
          resume.mutate(name, {
            onSuccess: () => announce("Renting is resumed"),
            onError: (error) => announceError("Renting was not resumed", error),
          })
        }
      >
        <Play aria-hidden />
        Resume renting
      </Button>
    </div>
  );
}
