// The messages of the control connection and the greetings of all connections: their fields and limits, one table.
// Pure; what they mean and in what order they come is docs/protocol.md and the two state machines.
import { hostname } from 'node:os';
import { ProtocolError, type MicrostunError } from '../errors.js';
import {
  DEVICE_CONNECTIONS_MAX,
  DEVICE_NAME_CHARACTERS_MAX,
  DEVICES_MAX,
  RING_BYTES_MAX,
  RING_BYTES_MIN,
} from '../guest/devices/device-windows.js';
import { FAULT_BUCKETS } from '../guest/fault-latency.js';
import { GAP_BUCKETS } from '../guest/gap-buckets.js';
import { deviceKinds } from '../guest/guest-program.js';
import { SENT_SAMPLE_DOUBLES_MAX, TOLD_DOUBLES_MAX } from '../guest/samples.js';
import { MEMORY_BYTES_MAX } from '../memory/layout.js';
import { PAGE_BYTES } from '../memory/pages.js';
import { VCPUS_MAX } from '../memory/safepoint-words.js';
import { DURATION_MS_MAX, INSTANT_US_MAX } from '../units.js';
import {
  decodeBody,
  encodeBody,
  flag,
  hexadecimal,
  integer,
  label,
  list,
  numbers,
  oneOf,
  prose,
  rate,
  real,
  record,
  uuid,
  uuidOrEmpty,
  type Field,
} from './fields.js';
import { encodeFrame, refuseFlags, type Frame, type FrameName } from './frames.js';
import { CONNECTIONS_MAX, MISMATCHES_TOLD_MAX, ROUNDS_MAX } from '../limits.js';
import { TICKET_BYTES } from './pass.js';

/** What Linux allows a host's name. */
const HOST_CHARACTERS_MAX = 64;
const FINDING_CHARACTERS_MAX = 400;
const REASON_CHARACTERS_MAX = 2000;
const SHA256_BYTES = 32;

const u32 = integer(0, 0xffff_ffff);
const pageCountField = integer(0, MEMORY_BYTES_MAX / PAGE_BYTES);
const pageNumberField = integer(0, MEMORY_BYTES_MAX / PAGE_BYTES - 1);
const instant = real(0, INSTANT_US_MAX);
const milliseconds = real(0, DURATION_MS_MAX);
const microseconds = real(0, DURATION_MS_MAX * 1000);
const portField = integer(1, 65535);

/** Why a peer declines. */
export const refusalCodes = [
  'VERSION_MISMATCH',
  'PROTOCOL',
  'BUSY',
  'INSUFFICIENT_MEMORY',
  'GUEST_FAILED',
  'GUEST_ENDED',
  'GUEST_VETOED',
  'CANCELLED',
  'CONNECT_FAILED',
  'CONNECTION_LOST',
  'TIMEOUT',
  'UNKNOWN_MIGRATION',
  'UNAUTHORIZED',
  'GUEST_REFUSED',
] as const;
export type RefusalCode = (typeof refusalCodes)[number];

/** Why a side gives a migration up, as the peer's report and exit status say it. */
export const cancelCodes = [
  'CANCELLED',
  'CONNECT_FAILED',
  'CONNECTION_LOST',
  'PROTOCOL',
  'TIMEOUT',
  'GUEST_FAILED',
  'GUEST_ENDED',
  'GUEST_VETOED',
  'WORKER_FAILED',
  'PAGES_LOST',
] as const;
export type CancelCode = (typeof cancelCodes)[number];

const guestSpec = record({
  program: label(200),
  memoryBytes: integer(PAGE_BYTES, MEMORY_BYTES_MAX),
  vcpus: integer(1, VCPUS_MAX),
  seed: u32,
  writeRate: rate,
  hotSetBytes: integer(0, MEMORY_BYTES_MAX),
  residentBytes: integer(0, MEMORY_BYTES_MAX),
  devices: list(
    record({
      name: label(DEVICE_NAME_CHARACTERS_MAX),
      kind: oneOf(...deviceKinds),
      connections: integer(1, DEVICE_CONNECTIONS_MAX),
      ringBytes: integer(RING_BYTES_MIN, RING_BYTES_MAX),
    }),
    DEVICES_MAX,
  ),
});

const bodies = {
  /** First message of every connection, from the side that dialled. `index` counts page connections from 0. */
  HELLO: record({
    version: u32,
    role: oneOf('control', 'pages', 'faults', 'streams'),
    migrationId: uuid,
    /** Streams: the gateway's id instead of a migration's, and its ticket. Control: the migration's ticket. Pages and faults: the proof that whoever dials has it (pass.ts). */
    ticket: hexadecimal(TICKET_BYTES),
    /** Control: the instance that welcomed this migration before; empty when none did, and on other connections. */
    welcomedBy: uuidOrEmpty,
    index: integer(0, CONNECTIONS_MAX - 1),
    /** Pages, from the side that takes them: the round, and how many of its regions were placed before a cut; else 0. */
    round: integer(0, ROUNDS_MAX),
    regions: u32,
  }),
  /** `instanceId` names the process that answers, so that a restarted one is told apart. */
  WELCOME: record({
    version: u32,
    instanceId: uuid,
    pid: u32,
    host: label(HOST_CHARACTERS_MAX),
    /** Pages, from the side that takes them: as in HELLO, which says it where that side dials; else 0. */
    round: integer(0, ROUNDS_MAX),
    regions: u32,
  }),
  REFUSAL: record({ version: u32, code: oneOf(...refusalCodes), reason: prose(REASON_CHARACTERS_MAX) }),
  PREPARE: record({
    guest: guestSpec,
    /** The hash of the guest program's code as the source runs it (program-code.ts). */
    codeHash: hexadecimal(SHA256_BYTES),
    /** What the guest has touched of its memory so far, as far as it takes some of the host. */
    touchedBytes: integer(0, MEMORY_BYTES_MAX),
    /** Page connections. */
    connections: integer(1, CONNECTIONS_MAX),
    /** Who dials them and the fault connection; the other side awaits them. */
    dials: oneOf('destination', 'source'),
    /** Where the destination dials for pages, one port a connection, at the address that the control connection came from. */
    pagePorts: list(portField, CONNECTIONS_MAX),
    /** Where it dials for the fault connection; 0, and no page ports, where the source dials. */
    faultPort: integer(0, 65535),
    /** Whether all pages carry a check of their bytes. */
    pageChecks: flag,
    /** Whether what came is compared with what the source had at the hand-over. */
    verifies: flag,
    /** Whether to audit the guest, and how long it runs first. */
    audits: flag,
    auditAfterMs: milliseconds,
  }),
  /** Where a source that dials does so, at the address that the control connection goes to; before PREPARED. */
  LISTENING: record({ pagePorts: list(portField, CONNECTIONS_MAX, 1), faultPort: portField }),
  PREPARED: record({}),
  PING: record({ sentAt: instant }),
  PONG: record({ sentAt: instant, answeredAt: instant }),
  RESUMED: record({
    receivedAt: instant,
    validationMs: milliseconds,
    placementMs: milliseconds,
    resumeMs: milliseconds,
    answeredAt: instant,
    firstSliceAt: list(instant, VCPUS_MAX, 1),
  }),
  /** Every page is here; what the guest's remote page faults cost it. Latencies are in microseconds. */
  ARRIVED: record({
    pushedPages: pageCountField,
    fetchedPages: pageCountField,
    remotePageFaults: u32,
    latencyP50Us: microseconds,
    latencyP99Us: microseconds,
    latencyMaxUs: microseconds,
    /** Faults by latency: bucket n counts those below 2^(n/2) µs that no bucket before it counts. */
    latencyBuckets: list(u32, FAULT_BUCKETS),
    durationMs: milliseconds,
  }),
  AUDITED: record({
    passed: flag,
    checked: pageCountField,
    failed: u32,
    findings: list(prose(FINDING_CHARACTERS_MAX), 8),
    /** The guest since the resume, sampled: rows as samples.ts says. */
    samples: numbers(SENT_SAMPLE_DOUBLES_MAX, INSTANT_US_MAX),
    /** Gaps between its slices: buckets and counts in turn (gap-buckets.ts). */
    gaps: numbers(2 * GAP_BUCKETS, Number.MAX_SAFE_INTEGER),
    /** The longest that a vCPU stood between two slices, or waited for a page. */
    longestStallUs: microseconds,
  }),
  /** The guest was compared with what its source had at the hand-over: docs/decisions/0032-verify.md. */
  VERIFIED: record({
    windows: pageCountField,
    pages: pageCountField,
    /** Of these: looked at once more in memory, where nothing had been stored to them since. */
    rereadPages: pageCountField,
    mismatchedPages: pageCountField,
    /** The first of those, by their addresses in the guest. */
    mismatched: list(pageNumberField, MISMATCHES_TOLD_MAX),
  }),
  CANCEL: record({ code: oneOf(...cancelCodes), reason: prose(REASON_CHARACTERS_MAX) }),
  FAREWELL: record({}),
  /** A few samples of the guest since the last ones, while it runs at the destination: rows as samples.ts says. */
  SAMPLES: record({ samples: numbers(TOLD_DOUBLES_MAX, INSTANT_US_MAX) }),
} as const satisfies Partial<Record<FrameName, Field<object>>>;

type Bodies = typeof bodies;
export type MessageName = keyof Bodies;
type BodyOf<Name extends MessageName> = Bodies[Name] extends Field<infer T> ? T : never;

/** A message of one name; `Message` is any of them. */
export type MessageOf<Name extends MessageName> = { readonly name: Name } & BodyOf<Name>;
export type Message = { [Name in MessageName]: MessageOf<Name> }[MessageName];

/** Frames that are messages: those of a control connection. */
export const messageNames = Object.keys(bodies) as MessageName[];

/** A CANCEL that says why: the code crosses the wire, so that both sides report the same kind of failure. */
export function cancelOf({ code, message }: MicrostunError): MessageOf<'CANCEL'> {
  const known = cancelCodes.find((one) => one === code);
  return { name: 'CANCEL', code: known ?? 'CANCELLED', reason: clipReason(message) };
}

/** The name of this host, as a message may carry it. */
export function hostName(): string {
  return hostname()
    .replace(/[^\w.-]/g, '?')
    .slice(0, HOST_CHARACTERS_MAX);
}

/** Room for the longest text that a message may carry. */
export function clipReason(reason: string): string {
  return reason.slice(0, REASON_CHARACTERS_MAX);
}

/** A whole frame, ready for the socket, as header and parts. */
export function encodeMessage(message: Message): Uint8Array[] {
  const { name, ...body } = message;
  return encodeFrame(name, [encodeBody(body)]);
}

/**
 * The message in a frame, every field checked and copied.
 * @throws ProtocolError for a frame that is no message, unknown, missing or wrong fields, trailing bytes.
 */
export function decodeMessage({ header, body }: Frame): Message {
  const { name } = header;
  refuseFlags(header);
  if (!isMessageName(name)) throw new ProtocolError(`a ${name} frame does not belong on this connection`);
  return { name, ...decodeBody(body, bodies[name] as Field<object>, name) } as Message;
}

function isMessageName(name: FrameName): name is MessageName {
  return Object.hasOwn(bodies, name);
}
