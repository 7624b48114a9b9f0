// Checks what was typed against the ranges in the API description.

export interface NumberSchema {
  type?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  multipleOf?: number;
}

/** What is wrong with a text that should be a number, and what would be right. */
export function fieldError(schema: NumberSchema, text: string): string | undefined {
  const { type, minimum, maximum, exclusiveMinimum, multipleOf } = schema;
  if (type === "string") return undefined;
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) return "Enter a number.";
  if (type === "integer" && !Number.isInteger(value)) return "Enter a whole number.";
  if (exclusiveMinimum !== undefined && value <= exclusiveMinimum)
    return `Enter a number above ${exclusiveMinimum}.`;
  if (minimum !== undefined && value < minimum) return `Enter at least ${minimum}.`;
  if (maximum !== undefined && value > maximum) return `Enter at most ${maximum}.`;
  if (multipleOf !== undefined && value % multipleOf !== 0) return `Enter a multiple of ${multipleOf}.`;
  return undefined;
}
