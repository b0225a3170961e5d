// Which of a migration's page connections are up, as the main thread of either side hears it from their workers.
// Knows their numbers only; how one is renewed is its owner's.

export class ConnectionStates {
  /** Of each. One that is coming tells how that ends, within a bounded time. */
  readonly #states: ('coming' | 'up' | 'lost')[];
  readonly #renewOne: (index: number) => void;

  constructor(count: number, renewOne: (index: number) => void) {
    this.#states = Array.from({ length: count }, () => 'coming');
    this.#renewOne = renewOne;
  }

  /** One is up; answers whether all are. */
  noteUp(index: number): boolean {
    this.#states[index] = 'up';
    return this.#states.every((state) => state === 'up');
  }

  noteLost(index: number): void {
    this.#states[index] = 'lost';
  }

  /** Gives up all connections, and dials under way, for new ones: nothing moves on them. */
  renewAll(): void {
    for (const index of this.#states.keys()) this.#renew(index);
  }

  /** Has what was lost made again. */
  renewLost(): void {
    for (const [index, state] of this.#states.entries()) if (state === 'lost') this.#renew(index);
  }

  #renew(index: number): void {
    this.#states[index] = 'coming';
    this.#renewOne(index);
  }
}
