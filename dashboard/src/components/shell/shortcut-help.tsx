// The list of keyboard shortcuts, with the switch that silences single keys.
import { Dialog } from "~/components/ui/dialog";
import { Kbd } from "~/components/ui/misc";
import { Segmented } from "~/components/ui/segmented";
import { type Shortcut, useShortcutsEnabled } from "~/lib/shortcuts";

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  shortcuts: Shortcut[];
}

const ELSEWHERE = [
  ["Ctrl K", "Search and commands"],
  ["j k", "Next and previous row of a list"],
  ["[ ]", "Previous and next tab of a job"],
  ["← → ↑ ↓", "Samples: step and prompt"],
  ["Esc", "Close"],
] as const;

export function ShortcutHelp({ open, onOpenChange, shortcuts }: Props) {
  const [enabled, setEnabled] = useShortcutsEnabled();
  const rows = [...shortcuts.map(({ keys, description }) => [keys, description] as const), ...ELSEWHERE];
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title="Keyboard shortcuts" className="max-w-md">
      <dl className="px-4 py-2">
        {rows.map(([keys, description]) => (
          <div key={keys} className="flex items-center justify-between gap-4 border-b py-1.5 last:border-b-0">
            <dt>{description}</dt>
            <dd className="flex gap-1">
              {keys.split(" ").map((key) => (
                <Kbd key={key}>{key}</Kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
      <div className="flex items-center justify-between gap-4 border-t bg-sunken px-4 py-3">
        <span>Single-key shortcuts</span>
        <Segmented
          label="Single-key shortcuts"
          value={enabled ? "on" : "off"}
          onValueChange={(value) => setEnabled(value === "on")}
          options={[
            { value: "on", label: "On" },
            { value: "off", label: "Off" },
          ]}
        />
      </div>
    </Dialog>
  );
}
