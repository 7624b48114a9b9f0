// Numbers, times and names as a person reads them.

const count = new Intl.NumberFormat("en-US");
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const wholeDay = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" });
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
];

/** `12,345` */
export function formatCount(value: number): string {
  return count.format(value);
}

/** `1 picture`, `16 pictures` */
export function formatPlural(value: number, noun: string, nouns = `${noun}s`): string {
  return `${formatCount(value)} ${value === 1 ? noun : nouns}`;
}

/** `1.2 MB`, in powers of a thousand as disks and downloads count. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** Loss and norms: four decimals, or scientific where these would show nothing. */
export function formatLoss(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (value !== 0 && Math.abs(value) < 0.001) return value.toExponential(2);
  return value >= 100 ? value.toFixed(1) : value.toFixed(4);
}

/** Parameters: as short as they can be without losing anything. `1e-4`, `0.05`, `16` */
export function formatParameter(value: number | string): string {
  if (typeof value === "string") return value;
  return value !== 0 && Math.abs(value) < 0.01 ? value.toExponential().replace("e-", "e-") : String(value);
}

/** `45 s`, `3 min 20 s`, `2 h 05 min`, `3 d 4 h` */
export function formatDuration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, "0")} s`;
  if (s < 86_400)
    return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}

/** `14:32`, with the day when it is not today's. */
export function formatClock(at: Date, now = new Date()): string {
  return at.toDateString() === now.toDateString()
    ? clock.format(at)
    : `${day.format(at)}, ${clock.format(at)}`;
}

/** `3 minutes ago` */
export function formatAgo(at: string, now = Date.now()): string {
  const seconds = (Date.parse(at) - now) / 1000;
  for (const [unit, size] of UNITS) {
    if (Math.abs(seconds) >= size) return relative.format(Math.round(seconds / size), unit);
  }
  return "just now";
}

/** `22 Nov 2026` */
export function formatDay(at: string): string {
  return wholeDay.format(new Date(at));
}

/** `22 Nov 2026, 14:32:05` */
export function formatDate(at: string): string {
  return full.format(new Date(at));
}

/** Names that are written small wherever they stand. */
const SMALL_NAMES = /^sd-scripts\b/;

/** What the server says in passing, as a sentence: `the agent was lost` is `The agent was lost.` */
export function formatSentence(text: string): string {
  const sentence = SMALL_NAMES.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?:]$/.test(sentence) ? sentence : `${sentence}.`;
}

const WORDS: Record<string, string> = {
  lr: "LR",
  snr: "SNR",
  ddim: "DDIM",
  euler: "Euler",
  dpmpp2m: "DPM++ 2M",
  dpmpp: "DPM++",
  sha256: "SHA-256",
  a: "A",
};

/** A field or option name as a label: `n_warmup_steps` is `Warmup steps`, `euler_a` is `Euler A`. */
export function formatName(name: string): string {
  const words = name
    .replace(/^n_/, "")
    .split("_")
    .map((word) => WORDS[word] ?? word);
  const label = words.join(" ");
  return label.charAt(0).toUpperCase() + label.slice(1);
}
