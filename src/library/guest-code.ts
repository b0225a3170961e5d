// What `import { … } from 'microstun/guest'` gives: what the code of a guest needs. It is loaded on the thread of each vCPU, so
// nothing is in it that is of processes, the wire or reports. `import … from 'microstun'` has all of it as well.
export { defineGuest, type GuestDefinition, type GuestSettings } from '../shared/guest/define-guest.js';
export type {
  AfterMigration,
  AuditResult,
  BeforeMigration,
  DeviceSpec,
  GuestFactory,
  GuestProgram,
  GuestSpec,
  Machine,
  MigrationAnswer,
  Vcpu,
} from '../shared/guest/guest-program.js';
export type { DeviceDefinition } from '../shared/guest/devices/define-devices.js';
export type { ConsoleStream } from '../shared/guest/devices/console.js';
export type { GuestDevices } from '../shared/guest/devices/guest-devices.js';
export type { ServiceStreams, StreamState } from '../shared/guest/devices/streams.js';
export { Arena } from '../shared/guest/state/arena.js';
export { Condition, CONDITION_BYTES } from '../shared/guest/state/condition.js';
export { HashMap } from '../shared/guest/state/hash-map.js';
export { Heap } from '../shared/guest/state/heap.js';
export { copyIn, copyOut } from '../shared/guest/state/key-bytes.js';
export { Mutex, MUTEX_BYTES } from '../shared/guest/state/mutex.js';
export {
  atomicI32,
  f64,
  i32,
  i64,
  record,
  room,
  u16,
  u32,
  u8,
  type Field,
  type FieldType,
  type FieldTypes,
  type RecordShape,
  type RecordType,
} from '../shared/guest/state/record.js';
export { RingQueue } from '../shared/guest/state/ring-queue.js';
export { AllocatorFullError, GuestStateError } from '../shared/guest/state/state-error.js';
export type { GuestMemory } from '../shared/memory/guest-memory-contract.js';
