// Where a job runs: this machine, or a rented one within a limit.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CircleAlert, Cloud, Monitor, Server } from "lucide-react";
import { useId } from "react";
import { fields } from "~/api/fields";
import { spendQuery } from "~/api/spend";
import type { JobEstimate, ProviderInfo } from "~/api/types";
import { POOL, providerName } from "~/components/spend/provider-name";
import { UsdField } from "~/components/spend/usd-field";
import { Field, Input } from "~/components/ui/field";
import { formatPlural, formatSentence } from "~/lib/format";
import { OfferTable } from "./offer-table";
import { Pool } from "./pool";
import { isRented, limitError, limitHelp, toggled, type Where } from "./rented";

interface Props {
  where: Where;
  onChange: (where: Where) => void;
  providers: ProviderInfo[];
  /** Of the GPUs that are chosen. */
  estimate: JobEstimate | undefined;
  /** With every GPU. */
  everyGpu: JobEstimate | undefined;
  errors: Record<string, string>;
}

export function WhereItRuns({ where, onChange, providers, estimate, everyGpu, errors }: Props) {
  const provider = providers.find(({ name }) => name === where.provider);
  const set = (change: Partial<Where>) => onChange({ ...where, ...change });
  return (
    <section aria-label="Where it runs">
      <h2 className="display mb-3 text-lg">Where it runs</h2>
      <fieldset>
        <legend className="sr-only">Provider</legend>
        <div className="grid gap-2 @lg:grid-cols-2">
          {providers.map((info) => (
            <ProviderCard
              key={info.name}
              provider={info}
              checked={info.name === where.provider}
              onChoose={() => set({ provider: info.name })}
            />
          ))}
        </div>
      </fieldset>
      {provider?.halted && (
        <p role="alert" className="mt-3 flex gap-2 rounded-md border border-bad bg-bad-soft p-2.5">
          <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-bad" />
          <span className="min-w-0 break-words">
            Renting is paused at {providerName(provider.name, providers)}: {formatSentence(provider.halted)}{" "}
            <Link to="/spend" className="underline underline-offset-2">
              Go to Spend
            </Link>
          </span>
        </p>
      )}
      {where.provider === POOL && (
        <Pool
          machines={provider?.machines ?? []}
          labels={where.labels}
          error={errors.provider ?? errors.labels}
          onToggle={(label) => set({ labels: toggled(where.labels, label) })}
        />
      )}
      {isRented(where.provider, providers) && (
        <div className="mt-4 flex flex-col gap-5">
          <div className="grid gap-4 @lg:grid-cols-2">
            <UsdField
              label="Cost limit in dollars"
              value={where.limit}
              onValueChange={(limit) => set({ limit })}
              error={limitError(where.limit, estimate) ?? errors.limit_micro_usd}
              help={limitHelp(estimate)}
              placeholder="5.00"
              required
            />
            <ProjectField
              value={where.project}
              onValueChange={(project) => set({ project })}
              error={errors.project}
            />
          </div>
          {/* No machine is offered for a base model that none of them can fetch. */}
          {errors.base_model === undefined && (
            <OfferTable
              offers={everyGpu?.offers}
              gpus={where.gpus}
              error={errors["rental.gpus"]}
              onToggle={(gpu) => set({ gpus: toggled(where.gpus, gpu) })}
              onClear={() => set({ gpus: [] })}
            />
          )}
        </div>
      )}
    </section>
  );
}

interface CardProps {
  provider: ProviderInfo;
  checked: boolean;
  onChoose: () => void;
}

function ProviderCard({ provider, checked, onChoose }: CardProps) {
  const { name, is_rented, machines = [] } = provider;
  const Icon = is_rented ? Cloud : name === POOL ? Server : Monitor;
  const n_online = machines.filter(({ is_online }) => is_online).length;
  return (
    <label className="relative flex cursor-pointer flex-col gap-1 rounded-lg border bg-surface p-3 transition-colors hover:border-line-strong has-checked:border-accent has-checked:bg-accent-soft has-focus-visible:outline-2 has-focus-visible:outline-accent has-focus-visible:outline-offset-2">
      <input
        type="radio"
        name="provider"
        value={name}
        checked={checked}
        onChange={onChoose}
        className="sr-only"
      />
      <span className="flex items-center gap-2 font-semibold">
        <Icon aria-hidden className="size-4 text-accent" />
        {providerName(name, [provider])}
      </span>
      <span className="text-xs">
        {is_rented && "A rented GPU, within your budget"}
        {name === POOL &&
          `Machines where you run an agent · ${n_online} of ${formatPlural(machines.length, "machine")} online`}
        {!is_rented && name !== POOL && "Free"}
      </span>
    </label>
  );
}

interface ProjectProps {
  value: string;
  onValueChange: (project: string) => void;
  error: string | undefined;
}

function ProjectField({ value, onValueChange, error }: ProjectProps) {
  const { data: spend } = useQuery(spendQuery());
  const list = useId();
  const projects = spend?.budgets.filter(({ scope }) => scope === "project") ?? [];
  return (
    <Field label="Project" error={error} help="Optional. The budget of this project also applies.">
      {(control) => (
        <>
          <Input
            {...control}
            value={value}
            onChange={(event) => onValueChange(event.target.value)}
            maxLength={fields.CreateJob.project.maxLength}
            list={list}
            placeholder="panels"
          />
          <datalist id={list}>
            {projects.map(({ key }) => (
              <option key={key} value={key} />
            ))}
          </datalist>
        </>
      )}
    </Field>
  );
}
