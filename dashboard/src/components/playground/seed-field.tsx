// The seed: kept, typed, or drawn anew for each picture.
import { Dices, Lock, LockOpen } from "lucide-react";
import { Button } from "~/components/ui/button";
import { Field, Input } from "~/components/ui/field";
import { hasWrongSeed, type Values } from "./form";
import { parseSeed, randomSeed, SEED_RULE } from "./seed";

interface Props {
  values: Values;
  onChange: (change: Partial<Values>) => void;
  error: string | undefined;
}

export function SeedField({ values, onChange, error }: Props) {
  const Icon = values.locked ? Lock : LockOpen;
  return (
    <Field
      label="Seed"
      error={hasWrongSeed(values) ? SEED_RULE : error}
      className="col-span-2"
      help={
        values.locked
          ? "The seed is kept: the same seed gives the same picture."
          : "Each picture gets a new random seed."
      }
    >
      {(control) => (
        <div className="flex gap-1.5">
          <Input
            {...control}
            inputMode="text"
            spellCheck={false}
            value={values.seed}
            onChange={({ target: { value } }) =>
              onChange({ seed: value, locked: parseSeed(value).kind !== "random" })
            }
          />
          <Button
            size="icon"
            aria-label="Keep the seed"
            aria-pressed={values.locked}
            title="Keep the seed"
            className="aria-pressed:border-accent aria-pressed:text-accent"
            onClick={() => onChange({ locked: !values.locked })}
          >
            <Icon aria-hidden />
          </Button>
          <Button
            size="icon"
            aria-label="New random seed"
            title="New random seed"
            onClick={() => onChange({ seed: randomSeed() })}
          >
            <Dices aria-hidden />
          </Button>
        </div>
      )}
    </Field>
  );
}
