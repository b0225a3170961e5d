// Which flags each command takes. docs/flags.md is made of this.
import type { Argv } from 'yargs';
import { parseAddress, parseDurationMs, parseSize } from '../shared/units.js';
import { ANY_HOST } from '../shared/wire/sockets.js';
import { once, parseGuest, parseReserve, wholeNumber } from './flag-values.js';
import { parseAllowed } from './allowed-options.js';
import { deviceOptions } from './device-options.js';
import { guestOptions } from './guest-options.js';
import { migrationOptions, orderedMigrationOptions } from './migration-options.js';
import { commonOptions, inDoubtOption, outputOptions, patienceOptions } from './options.js';
import { drawnOptions, newFile, reportOptions } from './report-options.js';
import { insecureOption, securityOptions } from './security-options.js';

/** Guests of one destination: each has threads of its own, and a host allows a process some thousands of them. */
const GUESTS_MAX = 256;

export function demoFlags(y: Argv) {
  return reserveOption(reportOptions(commonOptions(migrationOptions(guestOptions(y)))))
    .example('$0 demo', 'a guest of 256 MiB with 2 vCPUs')
    .example(
      '$0 demo --guest replay --memory 1GiB --vcpus 4 --json',
      'every page is recomputed and compared; the report as JSON',
    );
}

export function compareFlags(y: Argv) {
  return drawnOptions(commonOptions(migrationOptions(guestOptions(y))))
    .requiresArg(['runs', 'a', 'b', 'out', 'csv'])
    .option('runs', {
      type: 'string',
      default: '5',
      describe: 'Migrations of each setting',
      coerce: once(wholeNumber('--runs', 1, 10_000)),
    })
    .option('flagship', {
      type: 'boolean',
      default: false,
      describe:
        'Compare five logics, from before vSphere 7 to the bitmap ahead, on a guest of 24 TiB: --memory 24TiB --resident 1GiB --vcpus 8 --runs 3, unless they are given; beside them what VMware published',
    })
    .option('a', {
      type: 'string',
      describe:
        'Compare these flags, in quotes (-a "…" or --a "…"), with those of --b instead of the standard settings',
    })
    .option('b', { type: 'string', describe: 'The flags to compare with' })
    .option('out', {
      type: 'string',
      describe: 'Write the comparison and every report to this file, as JSON, as they come',
      coerce: once(newFile('--out')),
    })
    .option('csv', {
      type: 'string',
      describe: 'Write the figures to this file, as CSV with one row a run, as they come',
      coerce: once(newFile('--csv')),
    })
    .example(
      '$0 compare --runs 10',
      'the logic before vSphere 7, that of vSphere 7, each change alone, and hybrid',
    )
    .example('$0 compare --flagship --report 24TiB.html', 'five logics on a guest of 24 TiB, in some minutes')
    .example('$0 compare --a "--connections 1" --b "--connections 4"', 'any two settings')
    .example('$0 compare --out all.json --report all.html', 'every report kept, and the comparison drawn');
}

export function sourceFlags(y: Argv) {
  return pausedOption(
    wayOption(
      deviceOptions(
        insecureOption(patienceOptions(reportOptions(commonOptions(migrationOptions(guestOptions(y)))))),
      ).option('once', {
        type: 'boolean',
        default: false,
        describe: 'End after one attempt, and the guest with it: for scripts',
      }),
    ),
  )
    .example('$0 source --to 192.0.2.7:7000 --memory 1GiB', 'migrate to another host')
    .example(
      '$0 source --to 192.0.2.7:7000 --listen 0.0.0.0:7100',
      'page connections on ports 7100 and 7101, the fault connection on 7102, for a firewall',
    );
}

function pausedOption<T>(yargs: Argv<T>) {
  return yargs.option('paused', {
    type: 'boolean',
    default: false,
    describe:
      'Boot the guest and leave it paused: it moves as it is. SIGCONT lets it go on, wherever it is then',
  });
}

/** A guest in a process that takes orders (ordered-guest.ts). */
export function orderedGuestFlags(y: Argv) {
  return pausedOption(deviceOptions(outputOptions(guestOptions(y))));
}

/** What such a process is told with the order to migrate. */
export function migrateOrderFlags(y: Argv) {
  return wayOption(insecureOption(inDoubtOption(securityOptions(orderedMigrationOptions(y)))));
}

/** Where to, and where the destination dials. */
function wayOption<T>(yargs: Argv<T>) {
  return yargs
    .option('to', {
      type: 'string',
      demandOption: true,
      describe: 'The destination, host:port',
      coerce: once((text: string) => parseAddress(text, '127.0.0.1')),
    })
    .option('listen', {
      type: 'string',
      describe:
        'Where the destination dials for pages: host:port, the first of --connections + 1 ports in a row; port 0 takes any (default: port 0 of every address; without keys, of this host only)',
      coerce: once((text: string) => parseAddress(text, ANY_HOST)),
    });
}

export function destinationFlags(y: Argv) {
  return deviceOptions(insecureOption(reserveOption(patienceOptions(commonOptions(migrationOptions(y))))))
    .option('listen', {
      type: 'string',
      describe:
        'Where the source dials, host:port; port 0 takes any (default: port 7000 of every address; without keys, of this host only)',
      coerce: once((text: string) => parseAddress(text, ANY_HOST)),
    })
    .option('max-guests', {
      type: 'string',
      default: '1',
      describe:
        'Guests that are here at once; with more than one it takes others as long as it runs, whatever becomes of each',
      coerce: once(wholeNumber('--max-guests', 1, GUESTS_MAX)),
    })
    .option('page-listen', {
      type: 'string',
      describe:
        'Where a source finds its page connections that dials them (--dial source): host:port, the first of its --connections + 1 ports in a row; port 0 takes any (default: any ports, where the source came in)',
      coerce: once((text: string) => parseAddress(text, ANY_HOST)),
    })
    .option('max-memory', {
      type: 'string',
      describe: 'The largest guest to take (default: what is available); a limit of each',
      coerce: once(parseSize),
    })
    .requiresArg(['max-guests', 'allow-guest'])
    .option('allow-guest', {
      type: 'string',
      array: true,
      describe:
        'Take guests of this program only: a built-in one, or the path of a module, ./my-guest.js, perhaps with the hash that its code must have, ./my-guest.js@HASH; may be repeated (default: every built-in one)',
      coerce: (texts: readonly string[]) => texts.map(parseAllowed),
    })
    .option('run-for', {
      type: 'string',
      describe:
        'End this long after the migration (default: run the guest until interrupted); with several places only the guest ends',
      coerce: once(parseDurationMs),
    })
    .option('once', {
      type: 'boolean',
      default: false,
      describe:
        'End when a migration was refused or cancelled, instead of waiting for the next, and give up pages whose source stays away; with several places, end after as many migrations',
    })
    .option('forward-to', {
      type: 'string',
      describe:
        'Send a guest that came on to this destination, after --migrate-after; the other migration flags shape that',
      coerce: once((text: string) => parseAddress(text, '127.0.0.1')),
    })
    .option('hops', {
      type: 'string',
      default: '1',
      describe: 'Forward so many guests, or the same guest so many times; then keep it',
      coerce: once(wholeNumber('--hops', 0, 1_000_000)),
    })
    .example('$0 destination --listen 0.0.0.0:7000', 'wait for a guest from any host')
    .example('$0 destination --run-for 5s', 'run the guest for five seconds, then end');
}

function reserveOption<T>(yargs: Argv<T>) {
  return yargs.requiresArg('reserve').option('reserve', {
    type: 'string',
    describe:
      'Keep so much memory at the destination, touched before a guest comes: one of no more than that is prepared at once, and so is the next (default: none)',
    coerce: once(parseReserve),
  });
}

export function gatewayFlags(y: Argv) {
  return insecureOption(securityOptions(y))
    .requiresArg(['listen', 'node'])
    .option('listen', {
      type: 'string',
      demandOption: true,
      describe:
        'Where clients connect, host:port; port 0 takes any. In clear text and by anybody who can connect',
      coerce: once((text: string) => parseAddress(text, '127.0.0.1')),
    })
    .option('node', {
      type: 'string',
      array: true,
      demandOption: true,
      describe:
        'Where the service takes gateways (--carry) on a host that the guest may be at, host:port; give it once for each',
      coerce: (texts: string[]) => ({ addresses: texts.map((text) => parseAddress(text, '127.0.0.1')) }),
    })
    .example(
      '$0 gateway --listen 6379 --node 192.0.2.7:7400 --node 192.0.2.8:7400 --key-file guest.key',
      'clients connect here, and notice of a migration a pause and nothing else',
    );
}

export function keygenFlags(y: Argv) {
  return y
    .positional('file', {
      type: 'string',
      demandOption: true,
      describe: 'Where the key is written; not there yet',
    })
    .option('keep', {
      type: 'boolean',
      default: false,
      describe: 'Leave a key that is there already as it is, instead of failing: for scripts',
    })
    .example(
      '$0 keygen guest.key',
      'then copy it to the other host, and give both sides --key-file guest.key',
    );
}

export function guestHashFlags(y: Argv) {
  return y
    .positional('guest', {
      type: 'string',
      demandOption: true,
      describe: 'A built-in guest, or the path of a module',
      coerce: parseGuest,
    })
    .example('$0 guest-hash ./my-guest.js', 'then allow it elsewhere: --allow-guest ./my-guest.js@HASH');
}

export function newGuestFlags(y: Argv) {
  return y
    .positional('name', {
      type: 'string',
      demandOption: true,
      describe: 'What the guest and its folder are called',
    })
    .example('$0 new-guest my-guest', 'then, in my-guest: npm start moves it, npm test tests it');
}

export function reportFlags(y: Argv) {
  return y
    .positional('run', {
      type: 'string',
      demandOption: true,
      describe: 'The JSON of a completed migration, or what compare wrote',
    })
    .option('out', {
      type: 'string',
      describe: 'The HTML file (default: beside the JSON)',
      coerce: once(newFile('--out')),
    })
    .example('$0 report run.json --out report.html', 'open report.html in any browser');
}
