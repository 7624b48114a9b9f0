// Who leases machines, by the name that people use.
const NAMES: Record<string, string> = { local: "This machine", runpod: "RunPod" };

/** A provider as a person calls it. */
export function providerName(name: string): string {
  return NAMES[name] ?? name;
}
