// Base models: those that were registered, and a form for another one.
import { useSuspenseQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { registeredBasesQuery, useForgetBaseModels } from "~/api/bases";
import { Panel } from "~/components/ui/panel";
import { BASE_MODELS } from "./add-link";
import { BaseRow } from "./base-row";
import { RegisterForm } from "./register-form";
import { usableKey } from "./state";

export function BasesPanel() {
  const { data: bases } = useSuspenseQuery(registeredBasesQuery());
  useFormsFollow(usableKey(bases));
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

/** Has forms ask again what they may offer when that has changed. */
function useFormsFollow(usable: string) {
  const forget = useForgetBaseModels();
  const last = useRef(usable);
  useEffect(() => {
    if (last.current === usable) return;
    last.current = usable;
    void forget();
  });
}
