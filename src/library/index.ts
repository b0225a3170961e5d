// What `import { … } from 'microstun'` gives: guests, nodes, migrations and reports. The package's public face, and so the one
// barrel there is. Importing it starts nothing: guests and nodes run in processes of their own.
export { startGuest, type Guest, type GuestCounters, type GuestEnding } from './guest.js';
export {
  MigrationFailure,
  type GuestOwner,
  type Migration,
  type MigrationPhase,
  type MigrationProgress,
} from './migration.js';
export { startNode, type Node, type NodeEvent } from './node.js';
export type {
  BitRate,
  Duration,
  GuestOptions,
  MigrateOptions,
  NodeOptions,
  ProcessOptions,
  SecurityOptions,
  Size,
} from './options.js';
export { htmlReport, readReport, renderReport } from './reports.js';
export type { MigrationReport, RoundReport } from '../report/document.js';
export { MicrostunError, type ErrorCode } from '../shared/errors.js';
export type {
  AuditResult,
  DeviceSpec,
  GuestProgram,
  GuestSpec,
  Machine,
  Vcpu,
} from '../shared/guest/guest-program.js';
export type { ConsoleStream } from '../shared/guest/devices/console.js';
export type { GuestDevices } from '../shared/guest/devices/guest-devices.js';
export type { ServiceStreams, StreamState } from '../shared/guest/devices/streams.js';
export type { GuestMemory } from '../shared/memory/guest-memory-contract.js';
