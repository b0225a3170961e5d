// The program of a machine, as each of its workers makes it for itself.
// Knows where programs come from: the catalogue, or a module that people bring.
import { programOfModule } from './guest-module.js';
import type { GuestProgram } from './guest-program.js';
import { makeProgram } from './programs/catalogue.js';
import type { SharedMachine } from './shared-machine.js';

/** @throws MicrostunError GUEST_FAILED when there is no such program, or it cannot be made. */
export function programOf({ spec, module }: SharedMachine): Promise<GuestProgram> {
  return module === undefined ? makeProgram(spec) : programOfModule(module, spec);
}
