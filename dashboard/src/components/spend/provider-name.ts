// Who leases machines, by the name that people use.
import type { ProviderInfo } from "~/api/types";

/** The provider of machines where somebody runs an agent. */
export const POOL = "agent";

const NAMES: Record<string, string> = {
  local: "This machine",
  agent: "Your own machines",
};

/** A provider as a person calls it; one that rents machines out says what that is. */
export function providerName(name: string, providers: ProviderInfo[]): string {
  return NAMES[name] ?? providers.find((provider) => provider.name === name)?.title ?? name;
}
