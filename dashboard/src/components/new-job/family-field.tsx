// Which base models this one is trained like: recognized, or chosen by hand.
import type { BaseModel, Family } from "~/api/types";
import { Field } from "~/components/ui/field";
import { Select } from "~/components/ui/select";

interface Props {
  base: BaseModel | undefined;
  value: Family | "";
  onChange: (family: Family | "") => void;
}

export const FAMILY_TITLES: Record<Family, string> = {
  tiny: "tiny-xl",
  sdxl: "SDXL 1.0",
  illustrious: "Illustrious",
  noobai: "NoobAI",
  noobai_v: "NoobAI, v-prediction",
  noobai_flow: "NoobAI, rectified flow",
  pony: "Pony",
};

export function FamilyField({ base, value, onChange }: Props) {
  // The numbers for a tiny model fit no other, and those of others do not fit it.
  const known = (Object.keys(FAMILY_TITLES) as Family[]).filter((family) =>
    base?.class === "tiny" ? family === "tiny" : family !== "tiny",
  );
  return (
    <Field
      label="Settings for"
      className="mt-4 @lg:max-w-1/2 @lg:pr-2"
      help={
        base && value === ""
          ? `Recognized as ${FAMILY_TITLES[base.family]}, because ${base.family_reason}.`
          : "Chosen by hand, in place of what the base was recognized as."
      }
    >
      {(control) => (
        <Select
          id={control.id}
          describedBy={control["aria-describedby"]}
          value={value || (base?.family ?? null)}
          onValueChange={(family) => onChange(family === base?.family ? "" : family)}
          placeholder="Choose a base model first"
          options={known.map((family) => ({ value: family, label: FAMILY_TITLES[family] }))}
        />
      )}
    </Field>
  );
}
