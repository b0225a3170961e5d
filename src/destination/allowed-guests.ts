// Which guest programs a destination takes: those that its operator allows, if their code here is the source's.
// Looks a name up among those and nowhere else: what a peer names is never a path.
import { MicrostunError } from '../shared/errors.js';
import { catalogue, codeHashOf, programNames } from '../shared/guest/programs/catalogue.js';
import type { MessageOf } from '../shared/wire/messages.js';

/** So much of a hash tells two apart for people. */
const HASH_DIGITS_SHOWN = 12;

export class AllowedGuests {
  readonly #names: ReadonlySet<string>;

  /** `names`: of built-in guests; all of them unless it is said. */
  constructor(names: readonly string[] = programNames) {
    this.#names = new Set(names);
  }

  /**
   * Answers only if the guest that `prepare` brings may run here.
   * @throws MicrostunError REFUSED, saying why and what to do.
   */
  check({ guest, codeHash }: Pick<MessageOf<'PREPARE'>, 'guest' | 'codeHash'>): void {
    const { program } = guest;
    if (!this.#names.has(program)) throw new MicrostunError('REFUSED', this.#complaint(program));
    const ours = codeHashOf(program);
    if (ours === codeHash) return;
    throw new MicrostunError(
      'REFUSED',
      `the code of guest "${program}" is ${codeHash.slice(0, HASH_DIGITS_SHOWN)}… at the source and ` +
        `${ours.slice(0, HASH_DIGITS_SHOWN)}… here; install the same build of microstun on both hosts`,
    );
  }

  #complaint(program: string): string {
    const taken = [...this.#names].join(', ');
    return Object.hasOwn(catalogue, program)
      ? `guest "${program}" is not allowed here; choose one of ${taken}, or start the destination with --allow-guest ${program} as well`
      : `there is no guest "${program}" here; choose one of ${taken}`;
  }
}
