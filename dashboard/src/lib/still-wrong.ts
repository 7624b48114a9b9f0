// What the server said is wrong with a request, while the form is changed.

/** For a field, the others that decide whether it is right. */
export type Beside = Readonly<Record<string, readonly string[]>>;

/** What was wrong with a request, by field, without the fields that were changed since, or that depend on such a one. */
export function stillWrong(
  errors: Record<string, string>,
  sent: object | null | undefined,
  now: object | null | undefined,
  beside: Beside = {},
): Record<string, string> {
  if (!sent || !now) return errors;
  const isSame = (path: string) => JSON.stringify(valueAt(sent, path)) === JSON.stringify(valueAt(now, path));
  const isLeft = ([path]: [string, string]) =>
    isSame(path) && (beside[path.split(/[.[]/)[0] ?? ""] ?? []).every(isSame);
  return Object.fromEntries(Object.entries(errors).filter(isLeft));
}

/** What `parameters.rank` or `loras[0].weight` names; the last value on the way if it goes on below a text. */
function valueAt(request: object, path: string): unknown {
  let value: unknown = request;
  for (const step of path.split(/[.[\]]+/).filter(Boolean)) {
    if (typeof value !== "object" || value === null) return value;
    value = (value as Record<string, unknown>)[step];
  }
  return value;
}
