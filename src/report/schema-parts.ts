// What the schemas of our documents are made of: zod's types, each with the words for what a value should have been.
// Knows no document. Loaded only where a document is read or described, never by a migration.
import { z } from 'zod';

/** Finite. */
export const number = (): z.ZodNumber => z.number({ error: 'a number' });

/** A whole number that is not negative. */
export const count = (): z.ZodInt => z.int({ error: 'a whole number' }).min(0, { error: 'a whole number' });

export const text = (): z.ZodString => z.string({ error: 'a text' });

export const truth = (): z.ZodBoolean => z.boolean({ error: 'true or false' });

export const list = <Item extends z.ZodType>(item: Item): z.ZodArray<Item> =>
  z.array(item, { error: 'a list' });

/** Two values that belong together. */
export const pair = <First extends z.ZodType, Second extends z.ZodType>(
  first: First,
  second: Second,
): z.ZodTuple<[First, Second], null> => z.tuple([first, second], { error: 'a pair' });

/** An object; what else is in it is let be. */
export const fields = <Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape> =>
  z.object(shape, { error: 'an object' });

/** One of these values. */
export const exactly = <const Values extends readonly (string | number | boolean)[]>(
  ...allowed: Values
): z.ZodLiteral<Values[number]> =>
  z.literal([...allowed], { error: allowed.map((value) => JSON.stringify(value)).join(' or ') });

/** A number, or a word that stands for what has none. */
export const numberOr = <const Word extends string>(
  word: Word,
): z.ZodUnion<[z.ZodNumber, z.ZodLiteral<Word>]> =>
  z.union([z.number(), z.literal(word)], { error: `a number or ${JSON.stringify(word)}` });

/** As nobody changes it; lists stay lists, and pairs pairs. */
export type Frozen<T> = T extends object ? { readonly [Name in keyof T]: Frozen<T[Name]> } : T;
