// Narrows a list; what is typed lives in the address.
import { Search } from "lucide-react";
import { Input } from "./field";

interface Props {
  label: string;
  value: string;
  onValueChange: (value: string) => void;
}

export function SearchField({ label, value, onValueChange }: Props) {
  return (
    <div className="relative w-full sm:w-60">
      <Search aria-hidden className="pointer-events-none absolute top-2 left-2.5 size-4 text-muted" />
      <Input
        type="search"
        aria-label={label}
        placeholder={label}
        value={value}
        onChange={(event) => onValueChange(event.target.value)}
        className="pl-8.5"
      />
    </div>
  );
}
