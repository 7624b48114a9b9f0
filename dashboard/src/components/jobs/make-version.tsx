// Makes a version of a checkpoint: on the machine of the job if that is free, else where one says.
import { useQuery } from "@tanstack/react-query";
import { Boxes } from "lucide-react";
import { useState } from "react";
import { useMakeVersion } from "~/api/jobs";
import { ProblemError } from "~/api/problem";
import { providersQuery } from "~/api/spend";
import type { Job, ProviderInfo } from "~/api/types";
import { isRented } from "~/components/new-job/where/rented";
import { isRented as isJobRented } from "~/components/spend/job-money";
import { providerName } from "~/components/spend/provider-name";
import { UsdField } from "~/components/spend/usd-field";
import { Button } from "~/components/ui/button";
import { CarefulForm } from "~/components/ui/careful-form";
import { Dialog } from "~/components/ui/dialog";
import { Field } from "~/components/ui/field";
import { Select } from "~/components/ui/select";
import { StartButton } from "~/components/ui/start-button";
import { announce, announceError } from "~/components/ui/toast";
import { formatCount, formatSentence } from "~/lib/format";
import { parseUsd, usdError } from "~/lib/money";
import { useDraft } from "~/lib/use-draft";

interface Props {
  job: Job;
  step: number;
}

export function MakeVersion({ job, step }: Props) {
  const make = useMakeVersion(job.id);
  const { data: providers } = useQuery({ ...providersQuery(), enabled: isJobRented(job) });
  const [isOpen, setOpen] = useState(false);
  const done = () => announce(`A version of step ${formatCount(step)} is being made`);
  return (
    <>
      <StartButton
        size="sm"
        aria-label={`Make a version of step ${step}`}
        disabled={make.isPending}
        onStart={() => {
          if (isJobRented(job)) {
            make.reset();
            setOpen(true);
            return;
          }
          make.mutate(
            { step },
            { onSuccess: done, onError: (error) => announceError("The version was not made", error) },
          );
        }}
      >
        <Boxes aria-hidden />
        Make a version
      </StartButton>
      <Dialog
        open={isOpen && providers !== undefined}
        onOpenChange={setOpen}
        title={`Make a version of step ${formatCount(step)}`}
        description="The checkpoint is loaded, and its LoRA is checked. The machine needs the engine of the job."
        className="max-w-md"
      >
        <WhereForm
          job={job}
          step={step}
          providers={providers ?? []}
          make={make}
          onDone={done}
          onClose={() => setOpen(false)}
        />
      </Dialog>
    </>
  );
}

interface FormProps extends Props {
  providers: ProviderInfo[];
  make: ReturnType<typeof useMakeVersion>;
  onDone: () => void;
  onClose: () => void;
}

function WhereForm({ job, step, providers, make, onDone, onClose }: FormProps) {
  const draft = useDraft(`version:${job.id}:${step}`, () => ({
    provider: isRented(job.provider, providers) ? "local" : job.provider,
    limit: "",
  }));
  const { provider, limit } = draft.values;
  const [isTouched, setTouched] = useState(draft.isChanged);
  const isPaid = isRented(provider, providers);
  const wrong = isPaid ? usdError(limit, 1) : undefined;
  const refused = refusals(make.error);
  const start = () => {
    setTouched(true);
    const limit_micro_usd = isPaid ? parseUsd(limit) : null;
    if (wrong || make.isPending || (isPaid && limit_micro_usd === null)) return;
    make.mutate(
      { step, provider, limit_micro_usd },
      {
        onSuccess: () => {
          draft.done();
          onClose();
          onDone();
        },
      },
    );
  };
  return (
    <CarefulForm className="flex flex-col gap-4 p-4">
      <Field label="Where it is made" error={refused.provider}>
        {({ id, ...control }) => (
          <Select
            id={id}
            describedBy={control["aria-describedby"]}
            invalid={refused.provider !== undefined}
            value={provider}
            onValueChange={(next) => {
              make.reset();
              draft.change({ provider: next });
            }}
            options={providers.map(({ name, is_rented }) => ({
              value: name,
              label: providerName(name, providers),
              detail: is_rented ? "Costs money" : "Free",
            }))}
          />
        )}
      </Field>
      {isPaid && (
        <UsdField
          label="Total limit in dollars"
          value={limit}
          onValueChange={(next) => {
            draft.change({ limit: next });
            setTouched(true);
          }}
          help="For the machine that makes this version. What the job itself cost does not count."
          error={(isTouched && wrong) || refused.limit_micro_usd}
        />
      )}
      {refused.other && (
        <p role="alert" className="text-bad text-xs">
          {formatSentence(refused.other)}
        </p>
      )}
      <div className="flex justify-end gap-2">
        <Button
          onClick={() => {
            draft.discard();
            onClose();
          }}
        >
          Cancel
        </Button>
        <StartButton
          onStart={start}
          variant="primary"
          disabled={make.isPending || (isTouched && wrong !== undefined)}
        >
          Make the version
        </StartButton>
      </div>
    </CarefulForm>
  );
}

/** The server's words: at the fields that they are about, else for the whole form. */
function refusals(error: Error | null): { provider?: string; limit_micro_usd?: string; other?: string } {
  if (!error) return {};
  if (!(error instanceof ProblemError)) return { other: error.message };
  const { provider, limit_micro_usd } = error.fields;
  if (!provider && !limit_micro_usd) return { other: error.message };
  return { ...(provider && { provider }), ...(limit_micro_usd && { limit_micro_usd }) };
}
