// Writes src/api/schema.ts (types of the HTTP and WebSocket API) and src/api/fields.ts (help texts, ranges
// and defaults of form fields) from the server's OpenAPI document.
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import openapiTS, { astToString } from "openapi-typescript";

const DOCUMENT = new URL("../../crates/server/openapi.json", import.meta.url);
const OUTPUTS = { "schema.ts": schema, "fields.ts": fields };
// Schemas that a form is made from; all others are left out of the bundle.
const FORMS = [
  "Parameters",
  "CreateJob",
  "CreateGeneration",
  "CreateDataset",
  "LoraWeight",
  "SamplePrompt",
  "UpdateItem",
];
const NOTE = "// Generated from crates/server/openapi.json by `npm run generate`. Do not edit.\n";

/** The generated files by name, for the document given. */
export async function generate(document) {
  const files = {};
  for (const [name, write] of Object.entries(OUTPUTS)) {
    files[name] = NOTE + (await write(document));
  }
  return files;
}

async function schema(document) {
  // A field with a default is always there in an answer; one whose default is null may be left out of a request.
  const plain = JSON.parse(
    JSON.stringify(document, (key, value) => (key === "default" && value === null ? undefined : value)),
  );
  return astToString(await openapiTS(plain, { alphabetize: true }));
}

async function fields(document) {
  const schemas = document.components.schemas;
  const forms = Object.fromEntries(
    FORMS.filter((name) => schemas[name]).map((name) => [
      name,
      Object.fromEntries(
        Object.entries(schemas[name].properties ?? {}).map(([field, value]) => [
          field,
          field_of(value, schemas),
        ]),
      ),
    ]),
  );
  return `export const fields = ${JSON.stringify(forms, null, 2)} as const;\n`;
}

function field_of(property, schemas) {
  const reference =
    property.$ref ?? property.oneOf?.find((one) => one.$ref)?.$ref ?? property.allOf?.[0]?.$ref;
  const target = reference ? schemas[reference.split("/").at(-1)] : undefined;
  const types = [property.type, target?.type].flat().filter((type) => type && type !== "null");
  const options = property.enum ?? target?.enum ?? target?.oneOf?.flatMap((one) => one.enum ?? []);
  return {
    ...(types[0] && { type: types[0] }),
    ...(property.description && { description: property.description.replaceAll("\n", " ") }),
    ...pick(property, [
      "minimum",
      "maximum",
      "exclusiveMinimum",
      "multipleOf",
      "maxLength",
      "minLength",
      "maxItems",
      "default",
    ]),
    ...(options?.length && { options }),
    // Group, order, unit and engines of a hyperparameter.
    ...property["x-form"],
  };
}

function pick(source, names) {
  return Object.fromEntries(
    names.filter((name) => source[name] !== undefined).map((name) => [name, source[name]]),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const source = process.argv[2] ?? DOCUMENT;
  const files = await generate(JSON.parse(await readFile(source, "utf8")));
  for (const [name, text] of Object.entries(files)) {
    await writeFile(new URL(`../src/api/${name}`, import.meta.url), text);
  }
}
