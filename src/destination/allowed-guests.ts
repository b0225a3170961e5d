// Which guest programs a destination takes: those that its operator allows, if their code here is the source's.
// Looks a name up among the built-in ones, and code among files that the operator named: what a peer names is never a path.
import { messageOf, MicrostunError } from '../shared/errors.js';
import { HASH_DIGITS_SHOWN, shownHash } from '../shared/guest/programs/program-code.js';
import { catalogue, codeHashOf, programNames } from '../shared/guest/programs/catalogue.js';
import type { MessageOf } from '../shared/wire/messages.js';

/** A guest that people bring, as an operator allows it. */
export interface AllowedModule {
  /** Its file, as the operator named it. */
  readonly file: string;
  /** The URL of its code. */
  readonly module: string;
  /** Its hash, or the beginning of that, if nothing else may lie there by the time that it comes. */
  readonly pinned?: string | undefined;
}

export class AllowedGuests {
  readonly #names: ReadonlySet<string>;
  readonly #modules: readonly AllowedModule[];

  /** `names`: of built-in guests; all of them unless it is said. */
  constructor(names: readonly string[] = programNames, modules: readonly AllowedModule[] = []) {
    this.#names = new Set(names);
    this.#modules = modules;
  }

  /**
   * Answers only if the guest that `prepare` brings may run here: with the URL of its code, unless it is built in.
   * @throws MicrostunError REFUSED, saying why and what to do.
   */
  check({ guest, codeHash }: Pick<MessageOf<'PREPARE'>, 'guest' | 'codeHash'>): string | undefined {
    const { program } = guest;
    const found = this.#modules.find((one) => isOfHash(one, codeHash));
    if (found !== undefined) return found.module;
    const isBuiltIn = this.#names.has(program);
    if (isBuiltIn && codeHashOf(program) === codeHash) return undefined;
    throw new MicrostunError('REFUSED', this.#complaint(program, codeHash));
  }

  #complaint(program: string, codeHash: string): string {
    if (this.#names.has(program))
      return (
        `the code of guest "${program}" is ${shownHash(codeHash)} at the source and ` +
        `${shownHash(codeHashOf(program))} here; install the same build of microstun on both hosts`
      );
    const taken = [...this.#names, ...this.#modules.map(described)].join(', ');
    if (Object.hasOwn(catalogue, program) && codeHashOf(program) === codeHash)
      return `guest "${program}" is not allowed here; choose one of ${taken}, or start the destination with --allow-guest ${program} as well`;
    if (this.#modules.length === 0)
      return (
        `there is no guest "${program}" here; choose one of ${taken}, or have the same file on both hosts and start the ` +
        'destination with --allow-guest and its path'
      );
    return (
      `guest "${program}", whose code is ${shownHash(codeHash)}, is not allowed here, where ${taken} are; ` +
      'have the same files on both hosts, and name this one with --allow-guest at the destination'
    );
  }
}

function isOfHash({ module, pinned }: AllowedModule, codeHash: string): boolean {
  if (pinned !== undefined && !codeHash.startsWith(pinned)) return false;
  try {
    return codeHashOf('', module) === codeHash;
  } catch {
    // A file that is gone is none that is looked for; a refusal names it.
    return false;
  }
}

function described({ file, module, pinned }: AllowedModule): string {
  const only = pinned === undefined ? '' : ` and has to be ${pinned.slice(0, HASH_DIGITS_SHOWN)}…`;
  try {
    return `${file} (code ${shownHash(codeHashOf('', module))}${only})`;
  } catch (error) {
    return `${file} (${messageOf(error)})`;
  }
}
