// What the owner of a base model says about it, whatever its files say: what its U-Net predicts, and its VAE.

import { type FormEvent, useState } from "react";
import { useSetBase } from "~/api/bases";
import { describeError, ProblemError } from "~/api/problem";
import type { Prediction, RegisteredBase } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Field, Input } from "~/components/ui/field";
import { Said } from "~/components/ui/said";
import { Select } from "~/components/ui/select";
import { formatSentence } from "~/lib/format";
import { describePrediction, PREDICTION_OPTIONS, VAE_HELP } from "./prediction";
import { toVae, vaeError } from "./source";

export function SaidForm({ base, onDone }: { base: RegisteredBase; onDone: () => void }) {
  const [prediction, setPrediction] = useState<Prediction | "files">(base.settings.prediction ?? "files");
  const [vae, setVae] = useState(base.settings.vae ?? "");
  const save = useSetBase();
  const refused = save.error instanceof ProblemError ? save.error.fields : {};
  const elsewhere = save.error && Object.keys(refused).length === 0;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (save.isPending || vaeError(vae)) return;
    const settings = {
      ...(prediction !== "files" && { prediction }),
      ...(vae.trim() !== "" && { vae: toVae(vae) }),
    };
    save.mutate({ name: base.name, settings }, { onSuccess: onDone });
  };
  return (
    <form
      noValidate
      onSubmit={submit}
      aria-label={`Prediction and VAE of ${base.name}`}
      className="mt-2 flex flex-col gap-3 rounded-md bg-sunken p-2.5"
    >
      <div className="grid items-start gap-3 sm:grid-cols-2">
        <Field label="Prediction" error={refused.prediction} help={found(base)}>
          {(control) => (
            <Select
              id={control.id}
              describedBy={control["aria-describedby"]}
              value={prediction}
              invalid={refused.prediction !== undefined}
              onValueChange={(next) => {
                setPrediction(next);
                save.reset();
              }}
              options={PREDICTION_OPTIONS}
            />
          )}
        </Field>
        <Field label="VAE" error={vaeError(vae) ?? refused.vae} help={VAE_HELP}>
          {(control) => (
            <Input
              {...control}
              value={vae}
              onChange={(event) => {
                setVae(event.target.value);
                save.reset();
              }}
              placeholder="/models/sdxl_vae.safetensors"
              spellCheck={false}
              autoCapitalize="off"
            />
          )}
        </Field>
      </div>
      <div className="flex flex-wrap items-center gap-3">
        <Button type="submit" size="sm" disabled={save.isPending || vaeError(vae) !== undefined}>
          {save.isPending ? "Saving…" : "Save and check"}
        </Button>
        <Button type="button" size="sm" variant="ghost" onClick={onDone}>
          Cancel
        </Button>
        {elsewhere && (
          <p role="alert" className="text-bad text-xs">
            <Said>{formatSentence(describeError(save.error))}</Said>
          </p>
        )}
      </div>
    </form>
  );
}

/** What is known of it, for whoever has to decide. */
function found({ measured, prediction, said_by }: RegisteredBase): string {
  const taken =
    prediction &&
    (said_by
      ? `It is taken as ${describePrediction(prediction)}, as ${said_by} says.`
      : `Nothing says what it predicts; it is taken as ${describePrediction(prediction)}.`);
  const does = measured?.is && `It behaves like ${describePrediction(measured.is)}.`;
  const known = [taken, does].filter(Boolean).join(" ");
  return known === "" ? "What its U-Net predicts." : known;
}
