// Copies a text, or says how to where the browser forbids it.
import { Copy } from "lucide-react";
import { Button } from "./button";
import { announce, announceError } from "./toast";

interface Props {
  text: string;
  /** What it copies, where it stands without a word of its own. */
  label?: string;
  /** What the message shows when it is copied. */
  shown?: string;
}

/** Browsers give pages the clipboard over HTTPS or on the machine itself only, and may refuse it there as well. */
export function CopyButton({ text, label, shown }: Props) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      announceError(
        "It was not copied",
        new Error("The browser does not allow it: select the text and copy it."),
      );
      return;
    }
    announce("Copied", shown);
  };
  return (
    <Button
      size={label ? "icon-sm" : "sm"}
      {...(label && { variant: "ghost" as const, "aria-label": label })}
      onClick={() => void copy()}
    >
      <Copy aria-hidden />
      {!label && "Copy"}
    </Button>
  );
}
