// Registers a base model by a path, an address or an id on Hugging Face.

import type { ClipboardEvent, FormEvent, ReactNode } from "react";
import { useRegisterBase } from "~/api/bases";
import { describeError, ProblemError } from "~/api/problem";
import { Button } from "~/components/ui/button";
import { DraftNotice } from "~/components/ui/draft-notice";
import { Field, Input } from "~/components/ui/field";
import { Said } from "~/components/ui/said";
import { Segmented } from "~/components/ui/segmented";
import { Select } from "~/components/ui/select";
import { formatSentence } from "~/lib/format";
import { useDraft } from "~/lib/use-draft";
import { PREDICTION_OPTIONS, VAE_HELP } from "./prediction";
import {
  type Draft,
  type DraftField,
  draftErrors,
  EMPTY,
  isComplete,
  type Kind,
  readSource,
  serverErrors,
  toRequest,
  withoutSecrets,
} from "./source";

const KINDS: { value: Kind; label: string }[] = [
  { value: "path", label: "File on the server" },
  { value: "url", label: "Web address" },
  { value: "hub", label: "Hugging Face" },
];

const ABOUT: Record<Kind, string> = {
  path: "A file that the server can read. Jobs on this server can use it immediately; other machines can after it is copied to the object store.",
  url: "A checkpoint on the web. Each machine that trains on it downloads it once.",
  hub: "A repository on Hugging Face. Each machine that trains on it downloads it once.",
};

export function RegisterForm() {
  const register = useRegisterBase();
  const kept = useDraft("register-base", () => EMPTY, { toKeep: withoutSecrets });
  const draft = kept.values;
  const change = (some: Partial<Draft>) => {
    register.reset();
    kept.change(some);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!isComplete(draft) || register.isPending) return;
    register.mutate(toRequest(draft), {
      onSuccess: () => {
        kept.change({ ...EMPTY, kind: draft.kind });
        kept.done();
      },
    });
  };
  // A whole source that is pasted is taken apart, whichever field it lands in.
  const paste = (event: ClipboardEvent<HTMLInputElement>) => {
    const isAll = event.currentTarget.selectionEnd === event.currentTarget.value.length;
    const found = isAll && readSource(event.clipboardData.getData("text"));
    if (!found || event.currentTarget.selectionStart !== 0) return;
    event.preventDefault();
    change(found);
  };

  const refused =
    register.error instanceof ProblemError ? serverErrors(draft.kind, register.error.fields) : {};
  const errors = { ...refused, ...draftErrors(draft) };
  const elsewhere = register.error && Object.keys(refused).length === 0;
  const text = (field: DraftField, label: string, placeholder: string, help?: ReactNode) => (
    <Field label={label} error={errors[field]} help={help}>
      {(control) => (
        <Input
          {...control}
          value={draft[field]}
          onChange={(event) => change({ [field]: event.target.value })}
          onPaste={field === "name" || field === "vae" ? undefined : paste}
          placeholder={placeholder}
          spellCheck={false}
          autoCapitalize="off"
        />
      )}
    </Field>
  );

  return (
    <form noValidate onSubmit={submit} aria-label="Add a base model" className="flex flex-col gap-3">
      <div>
        <Segmented
          label="Source of the base model"
          value={draft.kind}
          onValueChange={(kind) => change({ kind })}
          options={KINDS}
        />
        <p className="mt-2 text-muted text-xs">{ABOUT[draft.kind]}</p>
      </div>
      <DraftNotice from={kept.restoredFrom} onDiscard={kept.discard} />
      <div className="grid items-start gap-3 sm:grid-cols-2">
        {text("name", "Name", "sdxl-base", "What jobs and the playground call it.")}
        {draft.kind === "path" &&
          text(
            "path",
            "Path",
            "/models/sdxl.safetensors",
            "A .safetensors file or a diffusers folder, inside a folder that the server allows with --base-folder DIR.",
          )}
        {draft.kind === "url" && (
          <>
            {text(
              "url",
              "Address",
              "https://example.org/sdxl.safetensors",
              "URL of a single .safetensors file. A password and the query (after ?) are kept secret. Private networks need --allow-fetch-from.",
            )}
            {text(
              "sha256",
              "SHA-256, if you know it",
              "31e35c80fc4829d14f90153f4c74cd59…",
              "Then the server need not read the whole file. Each machine verifies it.",
            )}
          </>
        )}
        {draft.kind === "hub" && (
          <>
            {text("repository", "Repository", "stabilityai/stable-diffusion-xl-base-1.0")}
            {text("revision", "Revision, if not main", "main", "A branch, a tag or a commit.")}
            {text(
              "file",
              "File, if there are several",
              "sd_xl_base_1.0.safetensors",
              "If empty: the only checkpoint, or the diffusers folder.",
            )}
          </>
        )}
        <Field
          label="Prediction"
          className="sm:col-start-1"
          error={errors.prediction}
          help="What its U-Net predicts. Its files usually say so, and it is measured; set it only if both are wrong."
        >
          {(control) => (
            <Select
              id={control.id}
              describedBy={control["aria-describedby"]}
              value={draft.prediction}
              invalid={errors.prediction !== undefined}
              onValueChange={(prediction) => change({ prediction })}
              options={PREDICTION_OPTIONS}
            />
          )}
        </Field>
        {text("vae", "VAE, if not its own", "/models/sdxl_vae.safetensors", VAE_HELP)}
      </div>
      <div className="flex flex-wrap items-center gap-3">
        <Button type="submit" disabled={!isComplete(draft) || register.isPending}>
          {register.isPending ? "Adding…" : "Add and check"}
        </Button>
        {elsewhere && (
          <p role="alert" className="text-bad text-xs">
            <Said>{formatSentence(describeError(register.error))}</Said>
          </p>
        )}
      </div>
    </form>
  );
}
