// Stands in for sd-scripts: the program of crates/agent/examples/kohya_replay.rs, and what it is to do.
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { BINARY } from "./server";

const PROGRAM = join(dirname(BINARY), "examples/kohya_replay");

/** What one run does. */
export interface Run {
  /** What it says on its standard output, and on the one for errors. */
  out?: string;
  err?: string;
  /** After each line. */
  pause_ms?: number;
  /** Files that it writes: from where, to where in its output folder; `NAME` stands for the output's. */
  files?: [string, string][];
  /** It does not end by itself. */
  stays?: boolean;
  exit?: number;
}

export interface SdScripts {
  /** What a server has to be told to train with it. */
  settings: Record<string, string>;
  /** Has the next run do this, and all that follow it. */
  play: (run: Run) => Promise<void>;
  /** Keeps something that a run copies. */
  file: (name: string, content: string | Buffer) => Promise<string>;
  /** The options that a run was started with; it is the first, or the second, and so on. */
  options: (run: number) => Promise<string[]>;
  remove: () => Promise<void>;
}

export async function replaySdScripts(): Promise<SdScripts> {
  if (!existsSync(PROGRAM))
    throw new Error(`there is no ${PROGRAM}; cargo build --workspace --examples makes it`);
  const folder = await mkdtemp(join(tmpdir(), "morpheus-kohya-"));
  const dir = join(folder, "sd-scripts");
  await mkdir(dir);
  const file = async (name: string, content: string | Buffer) => {
    await writeFile(join(folder, name), content);
    return join(folder, name);
  };
  await writeFile(join(dir, "sdxl_train_network.py"), "# kohya_replay is run in place of this\n");
  return {
    settings: {
      MORPHEUS_KOHYA_DIR: dir,
      MORPHEUS_KOHYA_PYTHON: PROGRAM,
      MORPHEUS_KOHYA_TOKENIZERS: join(folder, "tokenizers"),
      MORPHEUS_KOHYA_PRECISION: "no",
    },
    play: async ({ out, err, ...run }) => {
      const said = {
        ...(out !== undefined && { out: await file("out", out) }),
        ...(err !== undefined && { err: await file("err", err) }),
      };
      await writeFile(join(dir, "replay.json"), JSON.stringify([{ ...run, ...said }]));
    },
    file,
    options: async (run) => JSON.parse(await readFile(join(dir, `args-${run}.json`), "utf8")),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** The progress bar while it goes through these losses, one for each step. */
export function bars(losses: (number | "nan")[]): string {
  const n = losses.length;
  return losses
    .map((loss, i) => {
      const shown = `${Math.floor((100 * (i + 1)) / n)}%|#####     | ${i + 1}/${n} [00:01<00:01,  5.55it/s`;
      return `\rsteps: ${shown}]\rsteps: ${shown}, avr_loss=${loss}]`;
    })
    .join("");
}
