// What a caller may say of guests, nodes and migrations: the flags of the command line, by their names and as they are written.
// Types only: what makes sense is decided where the flags are parsed, so that defaults and complaints are the same.

/** A time with its unit, such as `'10ms'`, `'2s'` or `'5m'`. */
export type Duration = `${number}${'us' | 'ms' | 's' | 'm' | 'h'}`;

/** A number of bytes, or one with its unit, such as `'256MiB'` or `'1GiB'`. */
export type Size = number | `${number}${'kB' | 'MB' | 'GB' | 'TB' | 'KiB' | 'MiB' | 'GiB' | 'TiB'}`;

/** A bandwidth with its unit, such as `'200Mbit'` or `'10Gbit'`. */
export type BitRate = `${number}${'kbit' | 'Mbit' | 'Gbit'}`;

/** How connections are protected; without any of it they stay within this host. */
export interface SecurityOptions {
  /** Encrypt, and trust whoever has the same key: the file that `microstun keygen` made, on both sides. */
  readonly keyFile?: string;
  /** Encrypt, and show this certificate (a PEM file, with those between it and the authority). */
  readonly tlsCert?: string;
  /** The private key of `tlsCert` (a PEM file). */
  readonly tlsKey?: string;
  /** Trust certificates that these authorities have signed (a PEM file). */
  readonly tlsCa?: string;
  /** The name that the peer's certificate must have, or several with commas. */
  readonly tlsPeer?: string;
  /** Talk to other hosts in clear text, to and from anybody: on a network that you trust. */
  readonly insecure?: boolean;
}

/** Of a process that microstun starts for its caller. */
export interface ProcessOptions {
  /** Ends the process, and a guest that is in it, as `close()` does. */
  readonly signal?: AbortSignal;
  /** Takes what the process says for people, line by line: progress, and its log from `logLevel` on. */
  readonly onLine?: (line: string) => void;
  /** From which level on it logs; `'warn'` if nothing is said. */
  readonly logLevel?: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  /** Flags of Node.js for the process, such as `--max-old-space-size=…`; none if nothing is said. */
  readonly execArgv?: readonly string[];
}

/** Where the devices of a guest are reached on this host, each `'name=host:port'`; port 0 takes any. */
export interface DeviceOptions {
  /** Clients of a service, or who looks at a console. */
  readonly publish?: readonly string[];
  /** Gateways, which carry the clients of a service. */
  readonly carry?: readonly string[];
}

/** A guest, and the process that runs it. */
export interface GuestOptions extends ProcessOptions, DeviceOptions {
  /** What the guest does: a built-in program, or the path of a module whose default export is `defineGuest({ … })`. */
  readonly guest?: string;
  /** Guest memory, a whole number of 4 KiB pages; 256 MiB if nothing is said. */
  readonly memory?: Size;
  /** vCPUs, 1 to 64; 2 if nothing is said. */
  readonly vcpus?: number;
  /** Seed of everything random in the guest. */
  readonly seed?: number;
  /** Of the built-in page writers: pages written a second, `'max'` for flat out. */
  readonly writeRate?: number | 'max';
  /** Of the guest `hot-set`: it writes all over so much memory, and nowhere else. */
  readonly hotSet?: Size;
  /** All of its memory that the guest ever touches, scattered over the rest. */
  readonly resident?: Size;
  /** Boot it and leave it paused, until `resume()`; it moves as it is. */
  readonly paused?: boolean;
}

/** Where a node sends guests on that came to it; how is said as for `migrate`. */
export interface ForwardOptions extends MigrationShape {
  /** The next destination, `'host:port'`; if nothing is said, guests stay. */
  readonly forwardTo?: string;
  /** Forward so many guests, or the same one so many times, and then keep it; 1 if nothing is said. */
  readonly hops?: number;
  /** How long a guest runs here first; `'1s'` if nothing is said. */
  readonly migrateAfter?: Duration;
  /** Try again so often when a guest could not leave, which runs on here meanwhile; 5 if nothing is said. */
  readonly retries?: number;
}

/** A node, which takes guests, and its process. */
export interface NodeOptions extends ProcessOptions, SecurityOptions, DeviceOptions, ForwardOptions {
  /** Where sources dial, `'host:port'`; port 0 takes any. If nothing is said, any port of the loopback. */
  readonly listen?: string;
  /** Guests that are here at once; 1 if nothing is said, and then the node ends with its guest. */
  readonly maxGuests?: number;
  /** The largest guest to take. */
  readonly maxMemory?: Size;
  /** Take guests of these programs only: names of built-in ones, or paths of modules. */
  readonly allowGuest?: readonly string[];
  /** Keep so much memory, touched before a guest comes, so that one is prepared at once. */
  readonly reserve?: Size;
  /** End each guest this long after its migration; if nothing is said it runs until the node is closed. */
  readonly runFor?: Duration;
  /** End when a migration was refused or cancelled, instead of waiting for the next. */
  readonly once?: boolean;
  /** Where a source finds its page connections that dials them (`dial: 'source'`), `'host:port'`. */
  readonly pageListen?: string;
}

/** How a guest is migrated. What each option means in full is in `docs/flags.md`. */
export interface MigrateOptions extends SecurityOptions, MigrationShape {
  /** The destination, `'host:port'`. */
  readonly to: string;
  /** Cancels the migration as long as that is possible; the guest then runs on where it was. */
  readonly signal?: AbortSignal;
  /** Where the destination dials for pages, `'host:port'`. */
  readonly listen?: string;
}

/** What shapes a migration, whoever begins it. What each option means in full is in `docs/flags.md`. */
export interface MigrationShape {
  /** `hybrid` (the default): pages that are left follow after the stun; `pre-copy`: within it; `post-copy`: all follow. */
  readonly mode?: 'hybrid' | 'pre-copy' | 'post-copy';
  /** Who installs traces: a tracer while the vCPUs run (the default), or all vCPUs, stopped. */
  readonly trace?: 'dedicated' | 'all-vcpus';
  /** How the bitmap crosses the wire; ahead of the stun if nothing is said. */
  readonly bitmap?: 'ahead' | 'compacted' | 'raw';
  /** Rounds at the most. */
  readonly maxRounds?: number;
  /** How long the rounds may take. */
  readonly timeLimit?: Duration;
  /** What happens then. */
  readonly onTimeout?: 'post-copy' | 'throttle' | 'abort';
  /** Switch over once the forecast stun fits in this time. */
  readonly stunBudget?: Duration;
  /** How long a guest with a say (`beforeMigration`) may be asked before it is stopped; `'0s'`: it is not asked. */
  readonly guestNotice?: Duration;
  /** Whether all of the guest is checked at the destination; yes if nothing is said. */
  readonly audit?: boolean;
  /** How long the guest runs at the destination before its audit. */
  readonly auditAfter?: Duration;
  /** Whether each frame of pages carries a check of them; yes if nothing is said. */
  readonly checksums?: boolean;
  /** Whether all of memory is compared with what the source had at the hand-over. */
  readonly verify?: boolean;
  /** Page connections. */
  readonly connections?: number;
  /** Who dials the page and fault connections; the destination if nothing is said. */
  readonly dial?: 'destination' | 'source';
  /** Send pages at this rate at the most. */
  readonly bandwidth?: BitRate;
  /** Send pages that faults ask for at this rate at the most. */
  readonly faultBandwidth?: BitRate;
  /** Emulate a longer network: add this to each round trip. */
  readonly delay?: Duration;
  /** Emulate cuts of all connections, such as `'2s+500ms'`, or several with commas. */
  readonly cut?: string;
  /** Try this long to reach a destination that is not up yet. */
  readonly connectTimeout?: Duration;
  /** Try this long to make lost connections again; a node waits half as long again for its source. */
  readonly reconnectTimeout?: Duration;
  /** Ask this long whether the hand-over was taken before the migration is in doubt. */
  readonly inDoubtAfter?: Duration;
  /** `wait` (the default): a doubt lasts until it is resolved; `end`: it ends the migration, and the guest here. */
  readonly inDoubt?: 'wait' | 'end';
}
