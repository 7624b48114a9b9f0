/** The generated files by name, for an OpenAPI document. */
export function generate(document: unknown): Promise<Record<string, string>>;
