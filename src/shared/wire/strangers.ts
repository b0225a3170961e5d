// Who stands at a door and is not welcome yet, and who of them has to go when there are too many.
// Knows addresses and how much each has said; what that was is door.ts's.

export interface Stranger {
  /** Its address, without its port. */
  readonly host: string;
  /** Bytes that came from it. */
  readonly saidBytes: number;
  /** Whether it may speak still: it was not refused. */
  readonly isOpen: boolean;
  sendAway(): void;
}

export class Strangers {
  readonly #max: number;
  /** By network; in each the oldest first. */
  readonly #networks = new Map<string, Set<Stranger>>();
  #count = 0;

  /** `max`: one more takes the place of another. */
  constructor(max: number) {
    this.#max = max;
  }

  get count(): number {
    return this.#count;
  }

  /** Another has come. One of those who were here goes if they are too many. */
  add(newcomer: Stranger): void {
    const network = networkOf(newcomer.host);
    if (this.#count >= this.#max) this.sendOneAway(network);
    let standing = this.#networks.get(network);
    if (standing === undefined) this.#networks.set(network, (standing = new Set()));
    standing.add(newcomer);
    this.#count++;
  }

  /** It went, or was welcomed. */
  remove(stranger: Stranger): void {
    const network = networkOf(stranger.host);
    const standing = this.#networks.get(network);
    if (standing?.delete(stranger) !== true) return;
    this.#count--;
    if (standing.size === 0) this.#networks.delete(network);
  }

  /**
   * There is no room for so many. Whose network has the most here loses one: who said the least, and of those the oldest.
   * So a crowd from elsewhere is in nobody's way, and a silent or slow one from the same address not in that of a caller
   * who greets at once. `newcomers`: from which network another comes.
   */
  sendOneAway(newcomers?: string): void {
    let most = 0;
    for (const [network, { size }] of this.#networks)
      most = Math.max(most, size + (network === newcomers ? 1 : 0));
    let victim: Stranger | undefined;
    for (const [network, standing] of this.#networks) {
      if (standing.size + (network === newcomers ? 1 : 0) < most) continue;
      for (const one of standing) if (victim === undefined || one.saidBytes < victim.saidBytes) victim = one;
    }
    if (victim === undefined) return;
    this.remove(victim);
    victim.sendAway();
  }

  /** Nobody is let in any more. Who was refused may read why. */
  sendAllAway(): void {
    for (const standing of [...this.#networks.values()])
      for (const one of [...standing]) if (one.isOpen) one.sendAway();
  }
}

/** Whose addresses count as one: an IPv4 address, or the 64 bits of IPv6 within which a host may choose its own. */
export function networkOf(host: string): string {
  if (!host.includes(':')) return host;
  const [head = '', tail] = host.split('::');
  const groups = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - groups.length - after.length);
  const all = [...groups, ...Array.from({ length: zeros }, () => '0'), ...after];
  return all.slice(0, 4).join(':');
}
