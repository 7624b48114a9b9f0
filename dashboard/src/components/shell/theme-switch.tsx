// System, light or dark.
import { Monitor, Moon, Sun } from "lucide-react";
import { Segmented } from "~/components/ui/segmented";
import { setTheme, useTheme } from "~/lib/theme";

export function ThemeSwitch({ className }: { className?: string }) {
  return (
    <Segmented
      label="Theme"
      value={useTheme()}
      onValueChange={setTheme}
      options={[
        { value: "system", label: "System theme", icon: <Monitor aria-hidden /> },
        { value: "light", label: "Light theme", icon: <Sun aria-hidden /> },
        { value: "dark", label: "Dark theme", icon: <Moon aria-hidden /> },
      ]}
      {...(className && { className })}
    />
  );
}
