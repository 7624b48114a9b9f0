// Signed URLs of pictures. The server signs them again in each response; a browser would load a picture again
// each time its URL changes, so the first URL of a picture is kept while it is valid.

/** URLs are valid for an hour (see the API description); a page may stay open with one for a while. */
const KEPT_MS = 45 * 60_000;
const SIGNATURE = /^(exp|sig|x-amz-.*)$/i;

const kept = new Map<string, { address: string; until: number }>();

/** The response, with URLs for which the browser already has pictures. */
export function keepAddresses<T>(answer: T, now = Date.now()): T {
  if (Array.isArray(answer)) return answer.map((one) => keepAddresses(one, now)) as T;
  if (typeof answer !== "object" || answer === null) return answer;
  const entries = Object.entries(answer).map(([name, value]) => [
    name,
    name === "url" || name.endsWith("_url") || name.endsWith("_urls")
      ? keep(value, now)
      : keepAddresses(value, now),
  ]);
  return Object.fromEntries(entries) as T;
}

function keep(value: unknown, now: number): unknown {
  if (Array.isArray(value)) return value.map((one) => keep(one, now));
  if (typeof value !== "string" || !value.includes("?")) return value;
  const name = unsigned(value);
  const known = kept.get(name);
  if (known && known.until > now) return known.address;
  kept.set(name, { address: value, until: now + KEPT_MS });
  return value;
}

/** The URL without its signature. */
function unsigned(address: string): string {
  const url = new URL(address, "http://here");
  for (const key of [...url.searchParams.keys()]) if (SIGNATURE.test(key)) url.searchParams.delete(key);
  return url.href;
}
