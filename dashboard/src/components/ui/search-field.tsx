// Narrows a list; what is typed lives in the address.
import { Search } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { Input } from "./field";

interface Props {
  label: string;
  value: string;
  onValueChange: (value: string) => void;
}

export function SearchField({ label, value, onValueChange }: Props) {
  // The address follows what is typed, a moment later: the field must not wait for it.
  const [text, setText] = useState(value);
  const sent = useRef<string[]>([]);
  useEffect(() => {
    const index = sent.current.indexOf(value);
    if (index < 0) setText(value);
    sent.current.splice(0, index + 1);
  }, [value]);
  return (
    <div className="relative w-full sm:w-60">
      <Search aria-hidden className="pointer-events-none absolute top-2 left-2.5 size-4 text-muted" />
      <Input
        type="search"
        aria-label={label}
        placeholder={label}
        value={text}
        onChange={({ target }) => {
          setText(target.value);
          sent.current.push(target.value);
          onValueChange(target.value);
        }}
        className="pl-8.5"
      />
    </div>
  );
}
