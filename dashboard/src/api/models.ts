// Importing LoRAs, and changing the stage of model versions.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { body, client } from "./client";
import type { HowToUse, ModelChoices, ModelVersion } from "./types";
import { postForm } from "./upload";

/** A LoRA that was made elsewhere, with what its owner says about it. */
export interface LoraImport {
  /** A safetensors file, or a PEFT folder as a zip archive. */
  file: File;
  /** The `adapter_config.json` that lay beside it. */
  config: File | null;
  base_model: string;
  /** Empty texts are left out. */
  name: string;
  trigger_words: string;
  source: string;
  license: string;
  /** Use it although a part of it cannot be applied. */
  allow_partial: boolean;
}

interface Sending {
  wanted: LoraImport;
  onProgress: (share: number) => void;
  signal: AbortSignal;
}

export function useImportLora() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ wanted, ...sending }: Sending) =>
      postForm<ModelVersion>("/api/v1/models/import", importForm(wanted), sending),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["models"] }),
  });
}

/** The parts of an import, the file last: what is wrong with the others is said before it is sent whole. */
export function importForm({ file, config, allow_partial, ...texts }: LoraImport): FormData {
  const form = new FormData();
  for (const [name, text] of Object.entries(texts)) if (text.trim() !== "") form.append(name, text.trim());
  if (allow_partial) form.append("allow_partial", "true");
  if (config) form.append("config", config, config.name);
  form.append("file", file, file.name);
  return form;
}

/** Of files that were dropped or chosen together: the LoRA, and PEFT's configuration for it. */
export function asImport(files: File[]): { file: File | null; config: File | null } {
  const ends = (ending: string) => files.find(({ name }) => name.toLowerCase().endsWith(ending));
  const config = ends(".json") ?? null;
  const file = ends(".safetensors") ?? ends(".zip") ?? files.find((one) => one !== config) ?? null;
  return { file, config: file ? config : null };
}

interface StageAction {
  action: "promote" | "retire";
  /** Approve an imported version, which has no verdict. */
  withoutVerdict?: boolean;
}

export function useStageAction(id: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ action, withoutVerdict = false }: StageAction) => {
      const params = { params: { path: { id } } };
      return action === "promote"
        ? body(
            client.POST("/api/v1/model-versions/{id}/promote", {
              ...params,
              body: { without_verdict: withoutVerdict },
            }),
          )
        : body(client.POST("/api/v1/model-versions/{id}/retire", params));
    },
    onSuccess: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: ["models"] }),
        queries.invalidateQueries({ queryKey: ["model-versions", id] }),
        queries.invalidateQueries({ queryKey: ["lora-copies"] }),
      ]),
  });
}

export function useRenameModel(id: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (name: string) =>
      body(client.PATCH("/api/v1/models/{id}", { params: { path: { id } }, body: { name } })),
    // Its versions have the name too.
    onSuccess: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: ["models"] }),
        queries.invalidateQueries({ queryKey: ["model-versions"] }),
      ]),
  });
}

/** Chooses the cover of a model and the version that it is used by. */
export function useChooseOfModel(id: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (choices: ModelChoices) =>
      body(client.PUT("/api/v1/models/{id}/choices", { params: { path: { id } }, body: choices })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["models"] }),
  });
}

export function useSetUsage(id: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (usage: HowToUse) =>
      body(client.PUT("/api/v1/model-versions/{id}/usage", { params: { path: { id } }, body: usage })),
    onSuccess: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: ["models"] }),
        queries.invalidateQueries({ queryKey: ["model-versions", id] }),
      ]),
  });
}

/** URL for downloading a model version's file, with how it is used and a preview in its metadata. */
export function downloadHref(id: string): string {
  return `${storedHref(id)}?described=true`;
}

/** URL for downloading a model version's file as it is stored, to the last byte. */
export function storedHref(id: string): string {
  return `/api/v1/model-versions/${id}/download`;
}
