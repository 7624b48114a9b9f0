// Base models: those that were registered, and a form for another one.
import { useSuspenseQuery } from "@tanstack/react-query";
import { registeredBasesQuery } from "~/api/bases";
import { Panel } from "~/components/ui/panel";
import { BaseRow } from "./base-row";
import { BASE_MODELS } from "./more-bases-link";
import { RegisterForm } from "./register-form";
import { useFormsFollow } from "./use-forms-follow";

export function BasesPanel() {
  const { data: bases } = useSuspenseQuery(registeredBasesQuery());
  useFormsFollow(bases);
  return (
    <Panel id={BASE_MODELS} title="Base models">
      <RegisterForm />
      {bases.length > 0 && (
        <ul aria-label="Registered base models" className="mt-4 divide-y border-t">
          {bases.map((base) => (
            <BaseRow key={base.name} base={base} />
          ))}
        </ul>
      )}
    </Panel>
  );
}
