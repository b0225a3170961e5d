// The front door of a simulation's destination process: does what node.ts does, over a fake network.
// Takes one guest at a time; what becomes of it is simulated-reception.ts.
import type { admit } from '../../src/destination/door.js';
import { PROTOCOL_VERSION } from '../../src/shared/wire/frames.js';
import type { RefusalCode } from '../../src/shared/wire/messages.js';
import type { End, Network } from './simulated-network.js';
import { SimulatedReception, type ReceptionOptions } from './simulated-reception.js';
import type { Process } from './simulated-world.js';
import type { Witness } from './simulated-witness.js';

export interface DestinationOptions extends Omit<ReceptionOptions, 'instanceId'> {
  /** Started anew as another version of the program: it refuses whoever asks, without a welcome. */
  readonly isOfAnotherVersion: boolean;
  /** Remembers no migration for long that has ended. */
  readonly isForgetful: boolean;
  readonly admit: typeof admit;
}

export class SimulatedDestination {
  readonly instanceId: string;
  readonly process: Process;
  readonly #witness: Witness;
  readonly #network: Network;
  readonly #options: DestinationOptions;
  readonly #refused = new Set<string>();
  current: SimulatedReception | undefined;

  constructor(process: Process, witness: Witness, network: Network, options: DestinationOptions) {
    this.instanceId = process.name;
    this.process = process;
    this.#witness = witness;
    this.#network = network;
    this.#options = options;
    network.listener = this;
  }

  accept(end: End): void {
    end.received = (hello) => {
      if (hello.name !== 'HELLO') return;
      if (this.#options.isOfAnotherVersion) this.#refuse(end, 'VERSION_MISMATCH');
      else this.#greet(end, hello.migrationId, hello.welcomedBy);
    };
  }

  cancel(): void {
    this.current?.cancel('the user cancels');
  }

  fail(): void {
    this.current?.fail();
  }

  /** The guest's code throws, wherever its migration stands: it cannot go on here. */
  throwInGuest(): void {
    const { current } = this;
    if (current === undefined) return;
    if (current.hasEnded) current.stopGuest();
    else current.fail();
  }

  die(): void {
    this.process.isAlive = false;
    this.current?.die();
    this.#witness.destinationDies(this.instanceId);
  }

  // What was answered goes, as it does in time, and with it a guest that came and has gone on to somewhere else.
  #forget(): void {
    this.#refused.clear();
    this.#witness.forgets(this.instanceId);
    if (this.current?.isFinished === true) this.current = undefined;
  }

  #greet(end: End, migrationId: string, welcomedBy: string): void {
    const { current } = this;
    const isAnswered = this.#refused.has(migrationId);
    const admission = this.#options.admit(
      {
        isAnswered,
        current: current && { isCallers: current.id === migrationId, isAbandoned: current.isAbandoned },
      },
      welcomedBy,
    );
    if (admission === 'make-way') {
      // The caller waits for its welcome; what it says before that breaks the protocol.
      end.received = () => {
        end.close();
      };
      current?.cancel('another migration took its place');
      current?.whenFinished(() => {
        this.#greet(end, migrationId, welcomedBy);
      });
      return;
    }
    // A caller is welcomed before it is refused: it must know who refuses, and whether that one was restarted.
    end.send({
      name: 'WELCOME',
      version: PROTOCOL_VERSION,
      instanceId: this.instanceId,
      pid: 1,
      host: 'beta',
    });
    switch (admission) {
      case 'repeat':
        this.#refuse(end, 'CANCELLED');
        return;
      case 'begin':
        this.current = this.#begin(migrationId);
        this.current.attach(end);
        return;
      case 'attach':
        current?.attach(end);
        return;
      case 'forgotten':
        this.#refuse(end, 'UNKNOWN_MIGRATION');
        return;
      case 'busy':
        this.#refuse(end, 'BUSY');
    }
  }

  #refuse(end: End, code: RefusalCode): void {
    end.send({ name: 'REFUSAL', version: PROTOCOL_VERSION, code, reason: 'refused at the door' });
    end.close();
  }

  #begin(migrationId: string): SimulatedReception {
    const line = this.#network.lines.get(migrationId)!;
    const record = this.#witness.recordOf(migrationId);
    const reception = new SimulatedReception(this.process, line, record, this.#witness, {
      ...this.#options,
      instanceId: this.instanceId,
    });
    reception.whenFinished((outcome) => {
      if (this.#options.isForgetful)
        this.process.after(this.process.world.chance.delay(500), () => {
          this.#forget();
        });
      if (outcome.kind !== 'refused') return;
      this.#refused.add(migrationId);
      this.current = undefined;
    });
    return reception;
  }
}
