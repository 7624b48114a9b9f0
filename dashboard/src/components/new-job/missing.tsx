// What keeps a job from starting: the fields that are wrong, by name, and a way to the first of them.

interface Props {
  id: string;
  /** What is missing, in a sentence. */
  text: string;
  /** Labels of the fields whose text is wrong. */
  fields: string[];
}

export function Missing({ id, text, fields }: Props) {
  return (
    <p id={id} className="mt-1.5 text-center text-muted text-xs">
      {fields.length === 0 ? (
        text
      ) : (
        <button
          type="button"
          className="text-bad underline underline-offset-2"
          onClick={({ currentTarget }) => {
            const form = currentTarget.closest("form");
            form?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
          }}
        >
          {toFix(fields)}
        </button>
      )}
    </p>
  );
}

/** `Fix 2 fields: Steps, Learning rate` */
export function toFix(fields: string[]): string {
  return `Fix ${fields.length === 1 ? "1 field" : `${fields.length} fields`}: ${fields.join(", ")}`;
}
