// In place of what could not be loaded.
import { describeError } from "~/api/problem";
import { formatSentence } from "~/lib/format";
import { Said } from "./said";

interface Props {
  error: Error;
  className?: string;
}

export function LoadError({ error, className = "" }: Props) {
  return (
    <p role="alert" className={`break-words text-bad ${className}`}>
      <Said>{formatSentence(describeError(error))}</Said>
    </p>
  );
}
