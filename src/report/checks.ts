// Checks of a saved document, field by field: what a value should be, and the words where it is something else.
// Knows JSON and nothing of reports.
import { MicrostunError } from '../shared/errors.js';

/** Throws Mismatch unless `value`, found at `place` in the document, is what it should be. */
export type Check = (value: unknown, place: string) => void;

/** A check for every field of T, so that a field added to the document and not here does not compile. */
type FieldChecks<T> = { readonly [Name in keyof T]-?: Check };

class Mismatch extends Error {}

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
 * Answers when `check` has nothing against `document`.
 * @throws MicrostunError USAGE otherwise, with the place of the damage behind `complaint`.
 */
export function checkDocument(document: unknown, check: Check, complaint: string): void {
  try {
    check(document, '');
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error;
    throw new MicrostunError('USAGE', `${complaint}: ${error.message}`, { cause: error });
  }
}

export const number: Check = (value, place) => {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw mismatch('a number', value, place);
};

export const count: Check = (value, place) => {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0)
    throw mismatch('a whole number', value, place);
};

export const text: Check = (value, place) => {
  if (typeof value !== 'string') throw mismatch('a text', value, place);
};

export const truth: Check = (value, place) => {
  if (typeof value !== 'boolean') throw mismatch('true or false', value, place);
};

export function exactly(...allowed: readonly (string | number | boolean)[]): Check {
  return (value, place) => {
    if (!allowed.includes(value as string | number | boolean))
      throw mismatch(allowed.map(describe).join(' or '), value, place);
  };
}

export function nullable(check: Check): Check {
  return (value, place) => {
    if (value !== null) check(value, place);
  };
}

export function list(check: Check): Check {
  return (value, place) => {
    if (!Array.isArray(value)) throw mismatch('a list', value, place);
    for (const [at, item] of value.entries()) check(item, `${place}[${at}]`);
  };
}

export function fields<T>(checks: FieldChecks<T>): Check {
  return (value, place) => {
    if (!isRecord(value)) throw mismatch('an object', value, place);
    for (const [name, check] of Object.entries<Check>(checks)) {
      check(Object.hasOwn(value, name) ? value[name] : undefined, place === '' ? name : `${place}.${name}`);
    }
  };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function mismatch(wanted: string, value: unknown, place: string): Mismatch {
  return new Mismatch(
    value === undefined ? `${place} is missing` : `${place} should be ${wanted}, it is ${describe(value)}`,
  );
}

const DESCRIBED_MAX = 40;

export function describe(value: unknown): string {
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return 'a list';
  if (isRecord(value)) return 'an object';
  const json = JSON.stringify(value);
  return json.length > DESCRIBED_MAX ? `${json.slice(0, DESCRIBED_MAX)}…` : json;
}
