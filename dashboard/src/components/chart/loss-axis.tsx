// Whether losses are drawn on a linear or a logarithmic axis.
import { Segmented } from "~/components/ui/segmented";

export type LossScale = "linear" | "log";

interface Props {
  value: LossScale;
  onValueChange: (value: LossScale) => void;
}

export function LossAxis({ value, onValueChange }: Props) {
  return (
    <Segmented
      label="Loss axis"
      value={value}
      onValueChange={onValueChange}
      options={[
        { value: "linear", label: "Linear" },
        { value: "log", label: "Log" },
      ]}
    />
  );
}
