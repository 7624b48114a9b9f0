// Asks before something that cannot be undone.
import { AlertDialog } from "@base-ui/react/alert-dialog";
import type { ReactElement } from "react";
import { cn } from "~/lib/cn";
import { buttonClass } from "./button";
import { BACKDROP, POPUP } from "./dialog";

interface Props {
  trigger: ReactElement;
  title: string;
  description: string;
  action: string;
  onConfirm: () => void;
}

export function Confirm({ trigger, title, description, action, onConfirm }: Props) {
  return (
    <AlertDialog.Root>
      <AlertDialog.Trigger render={trigger} />
      <AlertDialog.Portal>
        <AlertDialog.Backdrop className={BACKDROP} />
        <AlertDialog.Popup className={cn(POPUP, "max-w-md p-4")}>
          <AlertDialog.Title className="text-base font-semibold">{title}</AlertDialog.Title>
          <AlertDialog.Description className="mt-1 text-muted">{description}</AlertDialog.Description>
          <div className="mt-5 flex justify-end gap-2">
            <AlertDialog.Close className={buttonClass({})}>{dismissal(action)}</AlertDialog.Close>
            <AlertDialog.Close className={buttonClass({ variant: "destructive" })} onClick={onConfirm}>
              {action}
            </AlertDialog.Close>
          </div>
        </AlertDialog.Popup>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}

/** The other button; beside "Cancel the job", a "Cancel" could mean either. */
export function dismissal(action: string): string {
  return action.startsWith("Cancel") ? "Keep it" : "Cancel";
}
