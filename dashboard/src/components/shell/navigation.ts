// The places of the app, in the order of the work.
import { Boxes, Images, type LucideIcon, Palette, SquareActivity, Wallet } from "lucide-react";

interface Place {
  to: "/jobs" | "/datasets" | "/models" | "/playground" | "/spend";
  label: string;
  icon: LucideIcon;
  keys: string;
}

export const PLACES: Place[] = [
  { to: "/jobs", label: "Jobs", icon: SquareActivity, keys: "g j" },
  { to: "/datasets", label: "Datasets", icon: Images, keys: "g d" },
  { to: "/models", label: "Models", icon: Boxes, keys: "g m" },
  { to: "/playground", label: "Playground", icon: Palette, keys: "g p" },
  { to: "/spend", label: "Spend", icon: Wallet, keys: "g s" },
];
