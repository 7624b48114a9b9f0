// Notifications of the browser: off until somebody switches them on in the settings, which is when permission is asked.
import { useSyncExternalStore } from "react";

const KEY = "morpheus.notifications";
const listeners = new Set<() => void>();
/** A browser that has the words but not the thing, as Chrome for Android, shows that only when one is made. */
let cannot = false;

export type Permission = "on" | "off" | "denied" | "unsupported";

function current(): Permission {
  if (cannot || !("Notification" in window)) return "unsupported";
  if (Notification.permission === "denied") return "denied";
  return Notification.permission === "granted" && localStorage.getItem(KEY) === "on" ? "on" : "off";
}

function changed(): void {
  for (const listener of listeners) listener();
}

/** Switches them on, after the browser has asked, or off. */
export async function setBrowserNotices(on: boolean): Promise<void> {
  if (!on) localStorage.removeItem(KEY);
  else if ((await Notification.requestPermission()) === "granted") localStorage.setItem(KEY, "on");
  changed();
}

export function useBrowserNotices(): Permission {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, current);
}

/** Tells of something, if that is switched on and nobody looks at the tab. */
export function notify(
  title: string,
  options: { tag: string; body?: string; icon?: string },
  onOpen: () => void,
): void {
  if (!document.hidden || current() !== "on") return;
  let notice: Notification;
  try {
    notice = new Notification(title, options);
  } catch {
    cannot = true;
    changed();
    return;
  }
  notice.onclick = () => {
    window.focus();
    onOpen();
    notice.close();
  };
}
