// Where a test's server keeps its rows and files, and how a test looks at them past the server: in a data folder,
// or, with MORPHEUS_TEST_SERVICES set, in a database and a bucket of its own, woken by Redis.
import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { Bucket } from "./bucket";

const run = promisify(execFile);

export interface Storage {
  /** What `morpheus serve` is told. */
  args: string[];
  env: Record<string, string>;
  /** What a person reads who types SQL: rows by line, columns divided by `|`. */
  sql(statement: string): Promise<string>;
  /** Keys of the stored files: `sha256/ab/cdef…`. */
  keys(): Promise<string[]>;
  read(key: string): Promise<Buffer>;
  /** Takes away what does not go with the data folder. */
  drop(): Promise<void>;
}

/** A fresh place for the server whose data folder this is. */
export function openStorage(data: string): Promise<Storage> {
  return process.env.MORPHEUS_TEST_SERVICES ? services() : Promise.resolve(embedded(data));
}

function embedded(data: string): Storage {
  const objects = join(data, "objects");
  return {
    args: [],
    env: {},
    sql: async (statement) => {
      const flags = ["-batch", "-readonly", "-cmd", ".timeout 5000"];
      const { stdout } = await run("sqlite3", [...flags, join(data, "morpheus.db"), statement]);
      return stdout.trimEnd();
    },
    keys: async () => {
      const files = await readdir(objects, { recursive: true, withFileTypes: true });
      return files
        .filter((file) => file.isFile())
        .map((file) => join(file.parentPath, file.name).slice(objects.length + 1));
    },
    read: (key) => readFile(join(objects, key)),
    drop: async () => {},
  };
}

let nDatabases = 0;

async function services(): Promise<Storage> {
  const server = given("MORPHEUS_TEST_POSTGRES");
  const endpoint = given("MORPHEUS_TEST_S3");
  const keys = {
    id: given("MORPHEUS_TEST_S3_ACCESS_KEY_ID"),
    secret: given("MORPHEUS_TEST_S3_SECRET_ACCESS_KEY"),
  };
  nDatabases += 1;
  const name = `browser_${process.pid}_${nDatabases}`;
  const database = `${server}/${name}`;
  await psql(`${server}/postgres`, `CREATE DATABASE ${name} TEMPLATE template0`);
  const bucket = await Bucket.create(endpoint, keys);
  return {
    // Streams are named after the installation, so that servers may share a Redis.
    args: [
      "--database",
      database,
      "--queue",
      given("MORPHEUS_TEST_REDIS"),
      "--objects",
      `s3://${bucket.name}`,
    ],
    env: {
      MORPHEUS_S3_ENDPOINT: endpoint,
      MORPHEUS_S3_ACCESS_KEY_ID: keys.id,
      MORPHEUS_S3_SECRET_ACCESS_KEY: keys.secret,
    },
    sql: (statement) => psql(database, statement),
    keys: () => bucket.keys(),
    read: (key) => bucket.read(key),
    drop: async () => {
      await psql(`${server}/postgres`, `DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

function given(variable: string): string {
  const value = process.env[variable];
  if (!value) throw new Error(`${variable} is not set: run this below \`cargo xtask services --\``);
  return value;
}

async function psql(url: string, statement: string): Promise<string> {
  const flags = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"];
  const { stdout } = await run(psqlProgram(), [...flags, "--command", statement, url]);
  return stdout.trimEnd();
}

/** Debian keeps the programs of each version in a folder of its own, away from PATH. */
function psqlProgram(): string {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root) : [];
  const found = versions.map((version) => join(root, version, "bin/psql")).filter(existsSync);
  return found.sort().at(-1) ?? "psql";
}
