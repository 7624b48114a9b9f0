// A form around what costs money: Enter in a field sends nothing, only its button does.
import type { ComponentProps } from "react";

/** Its button is a `StartButton`, and none of its buttons submits. */
export function CarefulForm(props: Omit<ComponentProps<"form">, "onSubmit">) {
  return <form noValidate {...props} onSubmit={(event) => event.preventDefault()} />;
}
