// The file under another program's names, to download.
import { useState } from "react";
import type { LoraNames, ModelVersion } from "~/api/types";
import { Field } from "~/components/ui/field";
import { Select } from "~/components/ui/select";
import { EditDialog } from "./edit-dialog";
import { convertRequest, PROGRAMS } from "./form";

const FORMATS: { value: LoraNames; label: string; detail: string }[] = [
  { value: "kohya", label: PROGRAMS.kohya, detail: "Also Invoke, Forge and most others" },
  { value: "diffusers", label: PROGRAMS.diffusers, detail: "load_lora_weights of a pipeline" },
  { value: "peft", label: PROGRAMS.peft, detail: "A zip with a folder for each part of the model" },
];

/** A file that was trained here, or came with these names: it is downloaded as it is. */
function hasNames({ imported }: ModelVersion, names: LoraNames): boolean {
  return imported ? imported.format === names : names === "kohya";
}

export function ConvertDialog({ version, onClose }: { version: ModelVersion; onClose: () => void }) {
  const offered = FORMATS.filter(({ value }) => !hasNames(version, value));
  const [to, setTo] = useState<LoraNames>(offered[0]?.value ?? "diffusers");
  return (
    <EditDialog
      title={`Download ${version.name} as…`}
      description={
        hasNames(version, "kohya")
          ? `For ${PROGRAMS.kohya}, “Download” gives the file at once. Here it gets other names, and waits on this page for a week.`
          : "The same matrices under other names. The file waits on this page for a week."
      }
      action="Make the file"
      begun="The file is being made"
      onClose={onClose}
      request={() => convertRequest(version.id, to)}
    >
      {(errors) => (
        <Field label="For" error={errors.to}>
          {(control) => <Select id={control.id} value={to} onValueChange={setTo} options={offered} />}
        </Field>
      )}
    </EditDialog>
  );
}
