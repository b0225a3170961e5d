// Messages of every kind with unlike values in all fields; a kind that is missing here does not type-check.
// Knows the fields, not what they mean.
import { GAP_BUCKETS } from '../../src/shared/guest/gap-buckets.js';
import { SENT_SAMPLE_DOUBLES_MAX, TOLD_DOUBLES_MAX } from '../../src/shared/guest/samples.js';
import { DURATION_MS_MAX } from '../../src/shared/units.js';
import {
  cancelCodes,
  refusalCodes,
  type MessageName,
  type MessageOf,
} from '../../src/shared/wire/messages.js';

type Examples = { readonly [Name in MessageName]: readonly [MessageOf<Name>, ...MessageOf<Name>[]] };

const ID = '0b54f2a1-9c3e-4d10-8a77-6f0e1d2c3b4a';
const OTHER_ID = '00000000-0000-4000-8000-000000000000';

const HASH = '0123456789abcdef'.repeat(4);

const guest = {
  program: 'page-writer',
  memoryBytes: 256 * 1024 ** 2,
  vcpus: 4,
  seed: 0xffff_ffff,
  writeRate: 0.5,
  hotSetBytes: 0,
  residentBytes: 0,
  devices: [],
};

/** The first of each kind fills every list with something; the others go to the limits of what is allowed. */
export const examples: Examples = {
  HELLO: [
    {
      name: 'HELLO',
      version: 1,
      role: 'pages',
      migrationId: ID,
      ticket: 'ab'.repeat(32),
      welcomedBy: OTHER_ID,
      index: 3,
      round: 2,
      regions: 77,
    },
    {
      name: 'HELLO',
      version: 0,
      role: 'control',
      migrationId: OTHER_ID,
      ticket: 'ab'.repeat(32),
      welcomedBy: '',
      index: 0,
      round: 0,
      regions: 0,
    },
    {
      name: 'HELLO',
      version: 9,
      role: 'faults',
      migrationId: 'ffffffff-ffff-ffff-ffff-ffffffffffff',
      ticket: 'ab'.repeat(32),
      welcomedBy: ID,
      index: 15,
      round: 1e6,
      regions: 1,
    },
  ],
  WELCOME: [
    { name: 'WELCOME', version: 1, instanceId: ID, pid: 4711, host: 'alpha', round: 0, regions: 0 },
    {
      name: 'WELCOME',
      version: 0xffff_ffff,
      instanceId: OTHER_ID,
      pid: 0,
      host: 'é'.repeat(64),
      round: 9,
      regions: 7,
    },
  ],
  REFUSAL: [
    { name: 'REFUSAL', version: 1, code: 'BUSY', reason: 'another guest is coming in' },
    ...refusalCodes.map((code) => ({ name: 'REFUSAL', version: 2, code, reason: code }) as const),
    { name: 'REFUSAL', version: 2, code: 'PROTOCOL', reason: 'r'.repeat(2000) },
  ],
  PREPARE: [
    {
      name: 'PREPARE',
      guest,
      codeHash: HASH,
      touchedBytes: 65536,
      connections: 2,
      dials: 'destination',
      pagePorts: [40_001, 40_002],
      faultPort: 40_003,
      pageChecks: true,
      verifies: false,
      audits: true,
      auditAfterMs: 12.5,
    },
    {
      name: 'PREPARE',
      guest: {
        program: '/opt/guest.js',
        memoryBytes: 4096,
        vcpus: 64,
        seed: 0,
        writeRate: Infinity,
        hotSetBytes: 0,
        residentBytes: 0,
        devices: [],
      },
      codeHash: HASH,
      touchedBytes: 65536,
      connections: 16,
      dials: 'destination',
      pagePorts: Array<number>(16).fill(65_535),
      faultPort: 1,
      pageChecks: true,
      verifies: false,
      audits: false,
      auditAfterMs: DURATION_MS_MAX,
    },
    {
      name: 'PREPARE',
      guest: {
        ...guest,
        writeRate: 0,
        hotSetBytes: 0,
        residentBytes: 0,
        devices: [
          { name: 'console', kind: 'console', connections: 1, ringBytes: 4096 },
          { name: 'redis', kind: 'service', connections: 1024, ringBytes: 1 << 20 },
        ],
      },
      codeHash: HASH,
      touchedBytes: 65536,
      connections: 1,
      dials: 'source',
      pagePorts: [],
      faultPort: 0,
      pageChecks: true,
      verifies: false,
      audits: false,
      auditAfterMs: 0,
    },
  ],
  LISTENING: [
    { name: 'LISTENING', pagePorts: [40_001, 40_002], faultPort: 40_003 },
    { name: 'LISTENING', pagePorts: Array<number>(16).fill(65_535), faultPort: 1 },
  ],
  PREPARED: [{ name: 'PREPARED' }],
  PING: [
    { name: 'PING', sentAt: 123_456_789.125 },
    { name: 'PING', sentAt: 2 ** 53 },
  ],
  PONG: [{ name: 'PONG', sentAt: 1.5, answeredAt: 2.5 }],
  RESUMED: [
    {
      name: 'RESUMED',
      receivedAt: 1,
      validationMs: 0.125,
      placementMs: 0.25,
      resumeMs: 0.5,
      answeredAt: 2.5,
      firstSliceAt: [2.125, 2.25],
    },
    {
      name: 'RESUMED',
      receivedAt: 0,
      validationMs: 0,
      placementMs: 0,
      resumeMs: 0,
      answeredAt: 0,
      firstSliceAt: Array<number>(64).fill(1e15 + 0.5),
    },
  ],
  ARRIVED: [
    {
      name: 'ARRIVED',
      pushedPages: 1024,
      fetchedPages: 3,
      remotePageFaults: 5,
      latencyP50Us: 90.5,
      latencyP99Us: 200.25,
      latencyMaxUs: 250.125,
      latencyBuckets: [0, 1, 4],
      durationMs: 8.5,
    },
  ],
  AUDITED: [
    {
      name: 'AUDITED',
      passed: false,
      checked: 65_536,
      failed: 2,
      findings: ['page 7 is torn', 'page 9 is lost'],
      samples: new Float64Array([1.5, 100, 2.5, 200]),
      gaps: new Float64Array([3, 17]),
      longestStallUs: 12.5,
    },
    {
      name: 'AUDITED',
      passed: true,
      checked: 0,
      failed: 0,
      findings: [],
      samples: new Float64Array(0),
      gaps: new Float64Array(0),
      longestStallUs: 0,
    },
    {
      name: 'AUDITED',
      passed: false,
      checked: 1,
      failed: 1,
      findings: Array<string>(8).fill('f'.repeat(400)),
      samples: new Float64Array(SENT_SAMPLE_DOUBLES_MAX).fill(0.1),
      gaps: new Float64Array(2 * GAP_BUCKETS).fill(0.1),
      longestStallUs: 0.1,
    },
  ],
  VERIFIED: [
    { name: 'VERIFIED', windows: 2, pages: 1000, rereadPages: 700, mismatchedPages: 0, mismatched: [] },
    {
      name: 'VERIFIED',
      windows: 1,
      pages: 512,
      rereadPages: 0,
      mismatchedPages: 512,
      mismatched: Array.from({ length: 64 }, (_, page) => page),
    },
  ],
  CANCEL: [
    { name: 'CANCEL', code: 'CANCELLED', reason: 'the user pressed Ctrl-C' },
    ...cancelCodes.map((code) => ({ name: 'CANCEL', code, reason: '' }) as const),
  ],
  FAREWELL: [{ name: 'FAREWELL' }],
  SAMPLES: [
    { name: 'SAMPLES', samples: new Float64Array([1.5, 100, 2.5]) },
    { name: 'SAMPLES', samples: new Float64Array(0) },
    { name: 'SAMPLES', samples: new Float64Array(TOLD_DOUBLES_MAX).fill(0.1) },
  ],
};

export const messageNames = Object.keys(examples) as MessageName[];
