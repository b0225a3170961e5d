// What `import { … } from 'microstun'` gives: guests, nodes, migrations, reports, and all of guest-code.ts. The package's public
// face, and so a barrel, as that is. Importing it starts nothing: guests and nodes run in processes of their own.
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
  DeviceOptions,
  ForwardOptions,
  GuestOptions,
  MigrateOptions,
  MigrationShape,
  NodeOptions,
  ProcessOptions,
  SecurityOptions,
  Size,
} from './options.js';
export { htmlReport, readReport, renderReport } from './reports.js';
export type { MigrationReport, RoundReport } from '../report/document.js';
export { MicrostunError, type ErrorCode } from '../shared/errors.js';
export * from './guest-code.js';
