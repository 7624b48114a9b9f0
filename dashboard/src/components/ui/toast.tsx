// Short messages in the corner: what was done, and what could not be.
import { Toast } from "@base-ui/react/toast";
import { CircleAlert, CircleCheck, X } from "lucide-react";
import type { ReactNode } from "react";
import { describeError } from "~/api/problem";
import { cn } from "~/lib/cn";
import { buttonClass } from "./button";
import { Said } from "./said";

const manager = Toast.createToastManager();
/** Messages beside each other: each of several things deleted in a row can be brought back. Older ones cannot be used. */
const MOST = 6;

/** Says that something was done. */
export function announce(title: string, description?: string): void {
  manager.add({ title, type: "success", ...(description && { description }) });
}

/** Says that something was deleted, with a button that brings it back. */
export function announceUndo(title: string, onUndo: () => void): void {
  const data: NewsData = { onUndo };
  manager.add({ title, type: "success", timeout: 15_000, data });
}

interface News {
  title: string;
  description?: string;
  /** Address of a picture that stands beside the text. */
  picture?: string;
  /** What a click on the text does. */
  onOpen: () => void;
}

/** What a toast of news has besides its text. */
interface NewsData {
  picture?: string;
  onOpen?: () => void;
  onUndo?: () => void;
}

/** Tells of something that happened by itself, with its picture. */
export function announceNews({ title, description, picture, onOpen }: News): void {
  const data: NewsData = { onOpen, ...(picture && { picture }) };
  manager.add({ title, type: "news", timeout: 20_000, data, ...(description && { description }) });
}

/** Says that something could not be done, in the server's words. */
export function announceError(title: string, error: unknown): void {
  manager.add({ title, description: describeError(error), type: "error", timeout: 10_000, priority: "high" });
}

export function ToastProvider({ children }: { children: ReactNode }) {
  return (
    <Toast.Provider toastManager={manager} limit={MOST}>
      {children}
      <Toast.Portal>
        <Toast.Viewport className="fixed right-4 bottom-20 z-50 flex w-80 max-w-[calc(100vw-2rem)] flex-col gap-2 md:bottom-4">
          <Toasts />
        </Toast.Viewport>
      </Toast.Portal>
    </Toast.Provider>
  );
}

function Toasts() {
  const { toasts } = Toast.useToastManager();
  return toasts.map((toast) => {
    const failed = toast.type === "error";
    const { picture, onOpen, onUndo } = (toast.data ?? {}) as NewsData;
    const onAct = onOpen ?? onUndo;
    const Icon = failed ? CircleAlert : CircleCheck;
    return (
      <Toast.Root
        key={toast.id}
        toast={toast}
        swipeDirection={["right", "down"]}
        className={cn(
          "rounded-md border bg-raised data-limited:hidden transition-[opacity,translate] duration-200 data-ending-style:translate-x-4 data-ending-style:opacity-0 data-starting-style:translate-y-2 data-starting-style:opacity-0",
          failed ? "border-bad" : "border-line-strong",
        )}
      >
        <Toast.Content className="flex items-start gap-2.5 p-3">
          {picture ? (
            <img src={picture} alt="" className="size-14 shrink-0 rounded-sm object-cover" />
          ) : (
            toast.type !== "news" && (
              <Icon aria-hidden className={cn("mt-0.5 size-4 shrink-0", failed ? "text-bad" : "text-good")} />
            )
          )}
          <div className="min-w-0 flex-1">
            <Toast.Title className="font-medium" />
            {typeof toast.description === "string" && (
              <Toast.Description className="mt-0.5 line-clamp-4 break-words text-muted text-xs">
                <Said>{toast.description}</Said>
              </Toast.Description>
            )}
            {onAct && (
              <button
                type="button"
                className="mt-1 text-accent text-xs underline underline-offset-2"
                onClick={() => {
                  onAct();
                  manager.close(toast.id);
                }}
              >
                {onUndo ? "Undo" : "Open"}
              </button>
            )}
          </div>
          <Toast.Close
            aria-label="Dismiss"
            className={buttonClass({ variant: "ghost", size: "icon-sm" }, "-m-1")}
          >
            <X aria-hidden />
          </Toast.Close>
        </Toast.Content>
      </Toast.Root>
    );
  });
}
