// A yargs parser that takes nothing it does not know, and whose complaints are errors of ours.
// Knows no flag.
import type { Argv } from 'yargs';
import { MicrostunError } from '../shared/errors.js';
import { refuseRepeatedFlags } from './flag-values.js';

/** Has `parser` refuse what it does not know, and what is given twice; it throws MicrostunError USAGE. */
export function strictly<T>(parser: Argv<T>): Argv<T> {
  return parser
    .check(refuseRepeatedFlags)
    .strict()
    .fail((message, error) => {
      // yargs types the error as always there; for its own complaints there is only the message. What a flag's parser throws
      // comes wrapped in a YError that keeps nothing but the message.
      const thrown = error as Error | undefined;
      if (thrown?.name === 'YError') throw new MicrostunError('USAGE', thrown.message, { cause: thrown });
      throw thrown ?? new MicrostunError('USAGE', `${message}; see --help`);
    });
}
