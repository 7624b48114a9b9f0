// Which LoRAs of the library a training may go on from.
import type { BaseModel, Model, ModelVersion } from "~/api/types";

/** Those that fit base models of this size, the newest of each model first. Without a base model: all. */
export function startsOf(models: Model[], base: BaseModel | undefined, bases: BaseModel[]): ModelVersion[] {
  const classOf = (name: string) => bases.find((one) => one.name === name)?.class;
  return models
    .flatMap(({ versions }) => versions)
    .filter(({ stage, damage, imported, base_model }) => {
      if (stage === "retired" || damage) return false;
      // The base model of an old one may be gone; then only the server knows.
      const size = imported?.base_class ?? classOf(base_model) ?? base?.class;
      return base === undefined || size === base.class;
    });
}

export function titleOf({ name, version }: ModelVersion): string {
  return `${name} v${version}`;
}
