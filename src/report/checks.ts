// Documents that were saved, against their schema: where one is damaged, and what should be there.
// Knows JSON and zod, and no document.
import type { z } from 'zod';
import { MicrostunError } from '../shared/errors.js';

/**
 * The document in `text`.
 * @throws MicrostunError USAGE when it is no JSON; `name` says in whose name.
 */
export function parseSaved(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new MicrostunError(
      'USAGE',
      `${name} is no JSON; give it what \`microstun demo --json\` printed, all of it`,
      { cause: error },
    );
  }
}

/**
 * Answers when `document` is what `schema` says; fields that nobody knows are let be.
 * @throws MicrostunError USAGE otherwise, with the place of the first damage behind `complaint`.
 */
export function checkDocument(document: unknown, schema: z.ZodType, complaint: string): void {
  const [issue] = schema.safeParse(document).error?.issues ?? [];
  if (issue === undefined) return;
  const value = valueAt(document, issue.path);
  const place = issue.path.reduce<string>(
    (text, key) =>
      typeof key === 'number' ? `${text}[${key}]` : `${text}${text === '' ? '' : '.'}${String(key)}`,
    '',
  );
  const what =
    value === undefined
      ? `${place} is missing`
      : `${place} should be ${issue.message}, it is ${describe(value)}`;
  throw new MicrostunError('USAGE', `${complaint}: ${what}`);
}

function valueAt(document: unknown, path: readonly PropertyKey[]): unknown {
  let value = document;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const DESCRIBED_MAX = 40;

export function describe(value: unknown): string {
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return 'a list';
  if (isRecord(value)) return 'an object';
  const json = JSON.stringify(value);
  return json.length > DESCRIBED_MAX ? `${json.slice(0, DESCRIBED_MAX)}…` : json;
}
