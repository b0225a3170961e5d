// Checks all of a store while no vCPU runs: every entry where its hash says, every chain and order whole, no block lost.
// Only reads; each block that it comes upon is added up, and the sum must be what the heap says.
import type { GuestMemory } from '../../../memory/guest-memory.js';
import type { HashMap } from '../../state/hash-map.js';
import type { AuditResult, GuestSpec } from '../../guest-program.js';
import { partsOf } from '../../state/hash-buckets.js';
import { openKeyspace, type Keyspace } from './keyspace.js';
import {
  Element,
  KeyRecord,
  Kind,
  kindNames,
  MAGIC,
  ObjectWord,
  Root,
  slotGpa,
  SlotState,
} from './layout.js';

const FINDINGS_MAX = 5;

export function auditStore(
  memory: GuestMemory,
  connections: number,
  { seed }: Pick<GuestSpec, 'seed'>,
): AuditResult {
  return new StoreAudit(memory, openKeyspace(memory, connections, seed)).run(connections);
}

class StoreAudit {
  readonly #memory: GuestMemory;
  readonly #keys: Keyspace;
  readonly #findings: string[] = [];
  #failed = 0;
  #checked = 0;
  /** Blocks that were come upon. */
  #blocks = 0;
  #expiring = 0;

  constructor(memory: GuestMemory, keys: Keyspace) {
    this.#memory = memory;
    this.#keys = keys;
  }

  run(connections: number): AuditResult {
    const { heap, index } = this.#keys;
    const heapFault = heap.findFault();
    if (heapFault !== undefined) this.#fail(heapFault);
    else {
      if (this.#memory.load32(Root.MAGIC) !== MAGIC) this.#fail('there is no store');
      if (this.#memory.load32(Root.LOCK) !== 0) this.#fail('the lock is held, and no vCPU runs');
      this.#auditKeys(this.#keys.map());
      this.#auditIndex(Root.EXPIRIES, this.#expiring, 'the order of expiries');
      for (let slot = 0; slot < connections; slot++) this.#auditPending(slotGpa(slot));
      this.#countGarbage();
      if (this.#blocks !== heap.usedBlocks)
        this.#fail(`${heap.usedBlocks} blocks are in use, and ${this.#blocks} can be reached`);
      if (index.count(Root.EXPIRIES) !== this.#expiring)
        this.#fail(
          `${this.#expiring} keys expire, and ${index.count(Root.EXPIRIES)} are in the order of that`,
        );
    }
    return {
      passed: this.#failed === 0,
      checked: this.#checked,
      failed: this.#failed,
      findings: this.#findings,
    };
  }

  #fail(finding: string): void {
    this.#failed++;
    if (this.#findings.length < FINDINGS_MAX) this.#findings.push(finding);
  }

  /** Visits all entries of a map: each must be found by its own key. Counts the map's blocks. */
  #auditMap(map: HashMap, what: string, visit: (entry: number) => void): void {
    let count = 0;
    let cursor = 0;
    do {
      cursor = map.scan(cursor, (entry) => {
        count++;
        this.#blocks++;
        const key = new Uint8Array(map.keyLength(entry));
        this.#memory.read(map.keyGpa(entry), key);
        if (map.find(key) !== entry) this.#fail(`${what} has an entry that is not found by its key`);
        visit(entry);
      });
    } while (cursor !== 0);
    this.#blocks += 1 + partsOf(map.buckets);
    if (count !== map.count) this.#fail(`${what} has ${count} entries, and counts ${map.count}`);
  }

  #auditKeys(map: HashMap): void {
    const { index } = this.#keys;
    this.#auditMap(map, 'the map of all keys', (entry) => {
      this.#checked++;
      const record = map.valueGpa(entry);
      const node = this.#memory.loadF64(record + KeyRecord.EXPIRY);
      if (node !== 0) {
        this.#expiring++;
        if (index.entry(node) !== entry) this.#fail("a key has an expiry that is another one's");
      }
      this.#auditValue(this.#memory.load32(record + KeyRecord.KIND), record);
    });
  }

  #auditValue(kind: number, record: number): void {
    const value = this.#memory.loadF64(record + KeyRecord.VALUE);
    if (kindNames[kind] === undefined || value === 0) {
      this.#fail(`a key holds something of kind ${kind}`);
      return;
    }
    if (kind === Kind.STRING) this.#auditString(record);
    else {
      this.#blocks++;
      if (this.#memory.load32(value + ObjectWord.KIND) !== kind) this.#fail(`a ${kindNames[kind]} is none`);
      else if (kind === Kind.LIST) this.#auditList(value);
      else this.#auditObject(value, kind);
    }
  }

  #auditString(record: number): void {
    const block = this.#memory.loadF64(record + KeyRecord.VALUE);
    this.#blocks++;
    if (this.#keys.heap.usableBytes(block) < this.#memory.load32(record + KeyRecord.BYTES))
      this.#fail('a string is longer than its block');
  }

  #auditList(list: number): void {
    const memory = this.#memory;
    let count = 0;
    let previous = 0;
    for (let at = memory.loadF64(list + ObjectWord.FIRST); at !== 0; at = memory.loadF64(at + Element.NEXT)) {
      if (memory.loadF64(at + Element.PREVIOUS) !== previous) {
        this.#fail(`element ${count} of a list does not lead back to the one before`);
        return;
      }
      previous = at;
      count++;
    }
    this.#blocks += count;
    this.#checked += count;
    if (memory.loadF64(list + ObjectWord.LAST) !== previous) this.#fail('a list ends elsewhere than it says');
    if (count !== memory.load32(list + ObjectWord.COUNT))
      this.#fail(`a list has ${count} elements, and counts ${memory.load32(list + ObjectWord.COUNT)}`);
  }

  #auditObject(object: number, kind: number): void {
    const map = this.#keys.mapOf(object);
    const { index } = this.#keys;
    this.#auditMap(map, `a ${kindNames[kind]!}`, (entry) => {
      this.#checked++;
      if (kind === Kind.HASH) this.#auditString(map.valueGpa(entry));
      if (kind !== Kind.SORTED_SET) return;
      const node = this.#memory.loadF64(map.valueGpa(entry));
      if (index.entry(node) !== entry) this.#fail("a member of a sorted set has another one's score");
    });
    if (kind === Kind.SORTED_SET) this.#auditIndex(object + ObjectWord.INDEX, map.count, 'a sorted set');
    if (map.count === 0 && this.#memory.load32(Root.JOB_SLOT) < 0)
      this.#fail(`a ${kindNames[kind]!} is empty`);
  }

  #auditIndex(head: number, count: number, what: string): void {
    const { index } = this.#keys;
    const fault = index.findFault(head);
    if (fault !== undefined) this.#fail(`${what}: ${fault}`);
    if (index.count(head) !== count)
      this.#fail(`${what} has ${index.count(head)} nodes for ${count} entries`);
    this.#blocks += index.count(head);
  }

  #auditPending(gpa: number): void {
    let last = 0;
    for (
      let piece = this.#memory.loadF64(gpa + SlotState.PENDING);
      piece !== 0;
      piece = this.#memory.loadF64(piece)
    ) {
      this.#blocks++;
      last = piece;
    }
    if (this.#memory.loadF64(gpa + SlotState.PENDING_LAST) !== last)
      this.#fail('replies of a client end elsewhere than they say');
  }

  /** What is being taken apart is only counted: it is nobody's any more. */
  #countGarbage(): void {
    const memory = this.#memory;
    const waiting: number[] = [];
    const spare = memory.loadF64(Root.SPARE);
    if (spare !== 0) waiting.push(spare);
    for (let object = memory.loadF64(Root.GARBAGE); object !== 0; object = memory.loadF64(object))
      waiting.push(object);
    for (let object = waiting.pop(); object !== undefined; object = waiting.pop()) {
      this.#blocks++;
      const kind = memory.load32(object + ObjectWord.KIND);
      if (kind === Kind.LIST) {
        for (
          let at = memory.loadF64(object + ObjectWord.FIRST);
          at !== 0;
          at = memory.loadF64(at + Element.NEXT)
        )
          this.#blocks++;
        continue;
      }
      const map = this.#keys.mapOf(object);
      this.#auditMap(map, 'what was removed', (entry) => {
        this.#countHeld(kind, map.valueGpa(entry), waiting);
      });
    }
  }

  #countHeld(kind: number, record: number, waiting: number[]): void {
    const memory = this.#memory;
    if (kind === Kind.HASH || kind === Kind.SORTED_SET) this.#blocks++;
    if (kind !== Kind.ALL_KEYS) return;
    if (memory.loadF64(record + KeyRecord.EXPIRY) !== 0) this.#blocks++;
    const value = memory.loadF64(record + KeyRecord.VALUE);
    if (memory.load32(record + KeyRecord.KIND) > Kind.STRING) waiting.push(value);
    else if (value !== 0) this.#blocks++;
  }
}
