// The server's errors, as exceptions that keep its words.
import { formatName } from "~/lib/format";
import type { Problem } from "./types";

/** The server refused a request and said why. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";

  constructor(readonly problem: Problem) {
    super(problem.detail ?? problem.title);
  }

  /** What is wrong with each field, by the field's path. */
  get fields(): Record<string, string> {
    return Object.fromEntries((this.problem.errors ?? []).map(({ field, message }) => [field, message]));
  }
}

/** The request was right by itself, and does not go with how things stand now. */
export function isConflict(error: unknown): error is ProblemError {
  return error instanceof ProblemError && error.problem.status === 409;
}

/** Nothing came back: whether the request arrived is not known. */
export function isUnanswered(error: unknown): boolean {
  return error instanceof TypeError;
}

/** Whether a body has the shape of a problem. */
export function isProblem(body: unknown): body is Problem {
  return typeof body === "object" && body !== null && "title" in body && "status" in body;
}

/** A problem from an answer that came without one: a proxy's page, or no answer at all. */
export function toProblem(body: unknown, status: number): Problem {
  if (isProblem(body)) return body;
  return { type: "unexpected", title: `The server answered ${status} without saying why.`, status };
}

const ALREADY_THERE =
  "An earlier try of this did arrive, with other values or prices. Look whether it is what you want before you try again.";

/** One or two sentences for a person. */
export function describeError(error: unknown): string {
  if (error instanceof ProblemError) {
    const { type, title, detail, errors = [] } = error.problem;
    if (type === "idempotency_key_reused") return ALREADY_THERE;
    const fields = errors.map(({ field, message }) => `${fieldLabel(field)}: ${message}`).join("; ");
    return fields || detail || title;
  }
  if (isUnanswered(error)) return "The server cannot be reached. Is `morpheus serve` still running?";
  return error instanceof Error ? error.message : String(error);
}

/** A field's path as its label in a form: `parameters.rank` is `Rank`, `loras[0].weight` is `Loras[0] weight`. */
function fieldLabel(path: string): string {
  return formatName(path.replace(/^parameters\./, "").replaceAll(".", "_"));
}
