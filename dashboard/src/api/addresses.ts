// Signed addresses of pictures. The server signs them anew in each answer; a browser would load a picture again
// each time its address changes, so the first address of a picture is kept while it is valid.

/** Addresses are valid for an hour (see the API's description); a page may be open a while with one. */
const KEPT_MS = 45 * 60_000;
const SIGNATURE = /^(exp|sig|x-amz-.*)$/i;

const kept = new Map<string, { address: string; until: number }>();

/** The answer, with addresses that the browser has pictures for already. */
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

/** What an address names, without what only proves that it may be read. */
function unsigned(address: string): string {
  const url = new URL(address, "http://here");
  for (const key of [...url.searchParams.keys()]) if (SIGNATURE.test(key)) url.searchParams.delete(key);
  return url.href;
}
