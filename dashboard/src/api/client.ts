// The one client of the HTTP API. A rejected request throws a ProblemError; a lost session leads to the sign-in page.
import createClient from "openapi-fetch";
import { keepAddresses } from "./addresses";
import { ProblemError, toProblem } from "./problem";
import type { paths } from "./schema";
import { submissions } from "./submissions";

export const client = createClient<paths>({ baseUrl: window.location.origin, credentials: "same-origin" });

// Middleware sees responses in reverse order: `submissions` sees an error before it is thrown.
client.use(
  {
    async onResponse({ response }) {
      if (response.ok) return;
      const body: unknown = await response.json().catch(() => null);
      throw new ProblemError(toProblem(body, response.status));
    },
  },
  submissions,
);

/** The body of a response; the middleware throws if there is none. */
export async function body<T>(request: Promise<{ data?: T }>): Promise<T> {
  const { data } = await request;
  return keepAddresses(data as T);
}
