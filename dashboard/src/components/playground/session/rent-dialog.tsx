// Rents a GPU for pictures, within a limit in dollars.

import { useQuery } from "@tanstack/react-query";
import { Cloud } from "lucide-react";
import { useState } from "react";
import { drawingPricesQuery, useRentForPictures } from "~/api/drawing";
import { describeError, ProblemError } from "~/api/problem";
import type { DrawingPrices, ProviderInfo } from "~/api/types";
import { providerName } from "~/components/spend/provider-name";
import { UsdField } from "~/components/spend/usd-field";
import { Button } from "~/components/ui/button";
import { CarefulForm } from "~/components/ui/careful-form";
import { Dialog } from "~/components/ui/dialog";
import { Field, Input } from "~/components/ui/field";
import { Said } from "~/components/ui/said";
import { Select } from "~/components/ui/select";
import { StartButton } from "~/components/ui/start-button";
import { formatSentence } from "~/lib/format";
import { formatUsd, formatUsdUp, parseUsd, usdError } from "~/lib/money";
import { useDraft } from "~/lib/use-draft";
import { minutesError } from "./sessions";

interface Props {
  /** Those that rent machines out; at least one. */
  providers: ProviderInfo[];
  onRented: (id: string) => void;
}

export function RentDialog({ providers, onRented }: Props) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button size="sm" onClick={() => setOpen(true)}>
        <Cloud aria-hidden />
        Rent a GPU for pictures
      </Button>
      <Dialog
        open={open}
        onOpenChange={setOpen}
        title="Rent a GPU for pictures"
        description="It costs money from now until it is terminated, and never more than the limit."
        className="max-w-md"
      >
        <RentForm
          providers={providers}
          onDone={(id) => {
            setOpen(false);
            if (id) onRented(id);
          }}
        />
      </Dialog>
    </>
  );
}

interface FormProps {
  providers: ProviderInfo[];
  /** The new session, if one was asked for. */
  onDone: (id: string | null) => void;
}

function RentForm({ providers, onDone }: FormProps) {
  const rent = useRentForPictures();
  const draft = useDraft("rent-for-pictures", () => ({
    name: "Pictures",
    provider: providers[0]?.name ?? "",
    limit: "",
    minutes: "10",
  }));
  const { name, limit, minutes } = draft.values;
  const provider = providers.some((one) => one.name === draft.values.provider)
    ? draft.values.provider
    : (providers[0]?.name ?? "");
  const { data: prices, error } = useQuery(drawingPricesQuery(provider));
  const [isTouched, setTouched] = useState(false);
  const wrong = usdError(limit, prices?.least_limit_micro_usd ?? 1);
  const wrongMinutes = minutesError(minutes);
  const fields = rent.error instanceof ProblemError ? rent.error.fields : {};
  const general = rent.error && Object.keys(fields).length === 0 ? describeError(rent.error) : undefined;
  const refused = general ?? fields.rental ?? (providers.length > 1 ? undefined : fields.provider);
  const isReady = !wrong && !wrongMinutes && name.trim() !== "" && !rent.isPending;
  const start = () => {
    setTouched(true);
    const limit_micro_usd = parseUsd(limit);
    if (!isReady || limit_micro_usd === null) return;
    rent.mutate(
      { name: name.trim(), provider, limit_micro_usd, idle_minutes: Number(minutes) },
      {
        onSuccess: (session) => {
          draft.done();
          onDone(session.id);
        },
      },
    );
  };
  return (
    <CarefulForm className="flex flex-col gap-4 p-4">
      {providers.length > 1 && (
        <Field label="Provider" error={fields.provider}>
          {(control) => (
            <Select
              id={control.id}
              value={provider}
              onValueChange={(next) => draft.change({ provider: next })}
              options={providers.map((one) => ({
                value: one.name,
                label: providerName(one.name, providers),
              }))}
            />
          )}
        </Field>
      )}
      <Prices prices={prices} error={error ?? undefined} />
      <UsdField
        label="Cost limit in dollars"
        value={limit}
        onValueChange={(text) => {
          draft.change({ limit: text });
          setTouched(true);
        }}
        error={(isTouched && wrong) || fields.limit_micro_usd}
        help={
          prices?.least_limit_micro_usd != null
            ? `At least ${formatUsd(prices.least_limit_micro_usd)}, for the time that a machine needs to start.`
            : undefined
        }
        placeholder="5.00"
        required
      />
      <Field
        label="Minutes without a picture"
        error={wrongMinutes ?? fields.idle_minutes}
        help="Then the machine is terminated."
      >
        {(control) => (
          <Input
            {...control}
            inputMode="numeric"
            value={minutes}
            onChange={(event) => draft.change({ minutes: event.target.value })}
          />
        )}
      </Field>
      <Field label="Name" error={fields.name} help="What it is called where its cost is shown.">
        {(control) => (
          <Input
            {...control}
            value={name}
            onChange={(event) => draft.change({ name: event.target.value })}
            maxLength={80}
          />
        )}
      </Field>
      {refused && (
        <p role="alert" className="text-bad">
          {refused}
        </p>
      )}
      <div className="flex flex-wrap justify-end gap-2">
        <Button onClick={() => onDone(null)}>Cancel</Button>
        <StartButton onStart={start} variant="primary" disabled={!isReady}>
          Rent
        </StartButton>
      </div>
    </CarefulForm>
  );
}

/** The first kinds of machines that are asked for. */
const N_OFFERS = 3;

function Prices({ prices, error }: { prices: DrawingPrices | undefined; error: Error | undefined }) {
  if (error)
    return (
      <p role="alert" className="text-bad">
        <Said>{formatSentence(describeError(error))}</Said>
      </p>
    );
  if (!prices) return <p className="text-muted">Asking for prices…</p>;
  if (prices.offers.length === 0)
    return <p className="text-bad">No machine with enough memory is on offer.</p>;
  return (
    <section aria-label="Prices">
      <ul className="divide-y rounded-md border" data-figures>
        {prices.offers.slice(0, N_OFFERS).map((offer) => (
          <li
            key={`${offer.gpu} ${offer.cloud}`}
            className="flex items-baseline justify-between gap-3 px-2.5 py-1.5"
          >
            <span className="min-w-0 truncate">
              {offer.gpu_name} <span className="text-muted text-xs">{offer.memory_gb} GB</span>
            </span>
            <span className="whitespace-nowrap">{formatUsdUp(offer.rate_micro_usd)} per hour</span>
          </li>
        ))}
      </ul>
      <p className="mt-1 text-muted text-xs">The first one that is free is rented.</p>
    </section>
  );
}
