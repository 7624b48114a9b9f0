// Takes a LoRA that was made elsewhere into the library.
import { useSuspenseQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { FileUp } from "lucide-react";
import { type FormEvent, useRef, useState } from "react";
import { useImportLora } from "~/api/models";
import { describeError, ProblemError } from "~/api/problem";
import { baseModelsQuery } from "~/api/queries";
import { Button } from "~/components/ui/button";
import { Dialog } from "~/components/ui/dialog";
import { Field, Input } from "~/components/ui/field";
import { Progress } from "~/components/ui/progress";
import { Select } from "~/components/ui/select";
import { announce } from "~/components/ui/toast";
import { formatBytes, formatSentence } from "~/lib/format";
import { stillWrong } from "~/lib/still-wrong";
import { useDraft } from "~/lib/use-draft";

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  file: File | null;
  /** PEFT's configuration for it. */
  config: File | null;
  onFiles: (files: File[]) => void;
}

export function ImportLora({ open, onOpenChange, ...files }: Props) {
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title="Import a LoRA"
      description="A safetensors file for SDXL from any program, or a folder of PEFT. It can be used in the playground at once."
      className="max-w-xl"
    >
      <Form {...files} onClose={() => onOpenChange(false)} />
    </Dialog>
  );
}

/** What a file holds is judged for base models of a size. */
const BESIDE = { file: ["base_model"], config: ["base_model"], allow_partial: ["base_model"] };

interface FormProps extends Pick<Props, "file" | "config" | "onFiles"> {
  onClose: () => void;
}

function Form({ file, config, onFiles, onClose }: FormProps) {
  const navigate = useNavigate();
  const { data: bases } = useSuspenseQuery(baseModelsQuery());
  const draft = useDraft("import-lora", () => ({
    base_model: "",
    name: "",
    trigger_words: "",
    source: "",
    license: "",
  }));
  const base_model = bases.find(({ name }) => name === draft.values.base_model)?.name ?? bases[0]?.name ?? "";
  const [agreed, setAgreed] = useState<File | null>(null);
  const [share, setShare] = useState(0);
  const sending = useRef<AbortController | null>(null);
  const sent = useImportLora();
  // What was wrong with another file says nothing of this one.
  const error = sent.variables?.wanted.file === file ? sent.error : null;
  const refused = error instanceof ProblemError ? error.fields : {};
  const errors = stillWrong(
    refused,
    sent.variables?.wanted,
    sent.variables && { ...sent.variables.wanted, ...draft.values, base_model },
    BESIDE,
  );
  const partial = errors.allow_partial?.replace(/; set it to `true` to use the rest$/, "");
  const isReady = file !== null && !sent.isPending && (!partial || agreed === file);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!file || !isReady) return;
    setShare(0);
    sending.current = new AbortController();
    sent.mutate(
      {
        wanted: { file, config, ...draft.values, base_model, allow_partial: agreed === file },
        onProgress: setShare,
        signal: sending.current.signal,
      },
      {
        onSuccess: ({ model_id, version, name }) => {
          draft.discard();
          onFiles([]);
          announce(`${name} is imported`);
          void navigate({ to: "/models/$modelId", params: { modelId: model_id }, search: { version } });
        },
      },
    );
  };
  const text = (field: "name" | "trigger_words" | "source" | "license", label: string, help: string) => (
    <Field label={label} help={help} error={errors[field]}>
      {(control) => (
        <Input
          {...control}
          value={draft.values[field]}
          onChange={(event) => draft.change({ [field]: event.target.value })}
        />
      )}
    </Field>
  );
  const cancel = () => {
    if (sent.isPending) return sending.current?.abort();
    draft.discard();
    onFiles([]);
    onClose();
  };
  return (
    <form onSubmit={submit} noValidate className="flex flex-col gap-4 p-4">
      <Picker file={file} config={config} errors={errors} onFiles={onFiles} />
      <Field
        label="Base model"
        help="It can be used with every base model of this size."
        error={errors.base_model}
      >
        {(control) => (
          <Select
            id={control.id}
            value={base_model}
            onValueChange={(base_model) => draft.change({ base_model })}
            options={bases.map(({ name }) => ({ value: name, label: name }))}
          />
        )}
      </Field>
      {text("name", "Name", "If left empty, that of the file.")}
      {text(
        "trigger_words",
        "Trigger words",
        "With commas between them. If left empty, those that the file names.",
      )}
      <div className="grid gap-4 sm:grid-cols-2">
        {text("source", "Source", "Where you have it from: a note or an address.")}
        {text("license", "License", "What you may do with it.")}
      </div>
      {partial && (
        <div role="alert" className="rounded-md border border-warning bg-warning-soft px-3 py-2">
          <p className="wrap-anywhere">{formatSentence(partial)}</p>
          <label className="mt-2 flex items-center gap-2 font-medium">
            <input
              type="checkbox"
              checked={agreed === file}
              onChange={(event) => setAgreed(event.target.checked ? file : null)}
              className="size-4 accent-accent"
            />
            Use it all the same
          </label>
        </div>
      )}
      {error && Object.keys(refused).length === 0 && (
        <p role="alert" className="text-bad">
          {formatSentence(describeError(error))}
        </p>
      )}
      {sent.isPending && <Progress label="Import" value={share} live className="h-2" />}
      <div className="flex items-center justify-end gap-2">
        {sent.isPending && (
          <span className="mr-auto text-muted">{share < 1 ? "Uploading…" : "Checking…"}</span>
        )}
        <Button onClick={cancel}>Cancel</Button>
        <Button type="submit" variant="primary" disabled={!isReady}>
          Import
        </Button>
      </div>
    </form>
  );
}

interface PickerProps extends Pick<Props, "file" | "config" | "onFiles"> {
  errors: Record<string, string>;
}

/** Where the file is chosen; one that is dropped on the page arrives here too. */
function Picker({ file, config, errors, onFiles }: PickerProps) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <div className="flex flex-col gap-1">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2 rounded-lg border border-line-strong border-dashed bg-surface px-4 py-3">
        <FileUp aria-hidden className="size-5 shrink-0 text-accent" />
        <div className="mr-auto min-w-0">
          <p className="wrap-anywhere font-medium">
            {file
              ? [file, config]
                  .map((one) => one?.name)
                  .filter(Boolean)
                  .join(" with ")
              : "Drop a file, or choose one"}
          </p>
          <p className="text-muted text-xs">
            {file
              ? formatBytes(file.size)
              : "Of kohya, diffusers, ComfyUI and others; of PEFT a zip, or both files of its folder"}
          </p>
        </div>
        <Button onClick={() => input.current?.click()}>{file ? "Choose another" : "Choose a file"}</Button>
        <input
          ref={input}
          type="file"
          multiple
          accept=".safetensors,.json,.zip"
          aria-label="LoRA file"
          tabIndex={-1}
          className="sr-only"
          onChange={(event) => {
            onFiles([...(event.target.files ?? [])]);
            event.target.value = "";
          }}
        />
      </div>
      {errors.file && (
        <p role="alert" className="wrap-anywhere text-bad text-xs">
          {formatSentence(`this file ${errors.file}`)}
        </p>
      )}
      {errors.config && (
        <p role="alert" className="wrap-anywhere text-bad text-xs">
          {formatSentence(`the configuration ${errors.config}`)}
        </p>
      )}
    </div>
  );
}
