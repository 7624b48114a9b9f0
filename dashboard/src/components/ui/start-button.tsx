// A button that starts something once: neither the second click of a double click nor a key that is held down starts
// it again.
import type { ComponentProps } from "react";
import { Button } from "./button";

interface Props extends Omit<ComponentProps<typeof Button>, "onClick" | "type"> {
  onStart: () => void;
}

export function StartButton({ onStart, ...props }: Props) {
  return (
    <Button
      {...props}
      onClick={({ detail }) => {
        if (detail < 2) onStart();
      }}
      onKeyDown={(event) => {
        if (event.repeat && (event.key === "Enter" || event.key === " ")) event.preventDefault();
      }}
    />
  );
}
