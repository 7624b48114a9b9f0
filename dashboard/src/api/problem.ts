// The server's errors, as exceptions that keep its messages.
import { formatName } from "~/lib/format";
import type { Problem } from "./types";

/** The server rejected a request and gave the reason. */
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

/** The request was valid, but conflicts with the current state. */
export function isConflict(error: unknown): error is ProblemError {
  return error instanceof ProblemError && error.problem.status === 409;
}

/** No response came: it is unknown whether the request arrived. */
export function isUnanswered(error: unknown): boolean {
  return error instanceof TypeError;
}

/** Whether a body has the shape of a problem. */
export function isProblem(body: unknown): body is Problem {
  return typeof body === "object" && body !== null && "title" in body && "status" in body;
}

/** A problem for a response that has none: a proxy's error page, or no body. */
export function toProblem(body: unknown, status: number): Problem {
  if (isProblem(body)) return body;
  return {
    type: "unexpected",
    title: `The server responded with status ${status} and no explanation.`,
    status,
  };
}

const ALREADY_THERE =
  "An earlier attempt did reach the server, with different values or prices. Check its result before you try again.";

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
