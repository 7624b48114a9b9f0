// Who leases machines, by the name that people use.
/** The provider of machines where somebody runs an agent. */
export const POOL = "agent";

const NAMES: Record<string, string> = {
  local: "This machine",
  agent: "Machines of your own",
  runpod: "RunPod",
};

/** A provider as a person calls it. */
export function providerName(name: string): string {
  return NAMES[name] ?? name;
}
