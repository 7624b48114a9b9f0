// What a model may be told about each picture.

export interface Template {
  label: string;
  prompt: string;
}

export const TEMPLATES: Template[] = [
  {
    label: "One sentence",
    prompt:
      "Describe this picture in one English sentence for training an image model: subject, clothing, pose, setting, light and framing. Say only what is visible. Answer with the sentence alone.",
  },
  {
    label: "A sentence about the subject",
    prompt:
      "Describe this picture of {trigger} in one English sentence. Call the subject {trigger}, and describe pose, clothing, setting and light, but not what {trigger} always looks like. Answer with the sentence alone.",
  },
  {
    label: "Sentences from the tags",
    prompt:
      "Write two short English sentences that describe this picture. These tags are correct; use them and add what is missing: {tags}. Answer with the sentences alone.",
  },
];

/** What stands in the form at first. */
export const FIRST = TEMPLATES[0]?.prompt ?? "";

/** Whether a template needs the trigger word, which the form does not have. */
export function lacksTrigger(prompt: string, trigger: string): boolean {
  return prompt.includes("{trigger}") && trigger.trim() === "";
}
