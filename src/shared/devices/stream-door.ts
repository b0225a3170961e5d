// Where gateways come in to a service: a door of its own, with the keys and the limits of every other.
// Knows who may come in; what its streams are is carried-streams.ts's.
import { Door } from '../wire/door.js';
import type { Connection } from '../wire/connection.js';
import type { Security } from '../wire/security.js';
import type { Address } from '../wire/sockets.js';

export class StreamDoor {
  readonly #door: Door;

  /** `attached`: a gateway is in, whose number is drawn from its id and is never 0. */
  constructor(attached: (gateway: number, connection: Connection) => void) {
    this.#door = new Door({
      called: (caller) => {
        const { role, migrationId } = caller.hello;
        if (role === 'streams') attached(gatewayNumber(migrationId), caller.welcome());
        else caller.refuse('PROTOCOL', 'this is where gateways come in; a migration is sent to --listen');
        return Promise.resolve();
      },
    });
  }

  /**
   * Begins to listen; answers where.
   * @throws MicrostunError LISTEN_FAILED.
   */
  open(address: Address, security: Security): Promise<Address> {
    return this.#door.open(address, security, '--carry');
  }

  close(): void {
    this.#door.close();
  }
}

/** Of a UUID: as slots keep it. */
function gatewayNumber(id: string): number {
  return Number.parseInt(id.slice(0, 8), 16) || 1;
}
