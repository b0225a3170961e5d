// The command line: parses, calls, and turns errors into sentences and exit statuses.
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { MicrostunError } from '../shared/errors.js';
import { parseAddress, parseDurationMs, parseSize } from '../shared/units.js';
import { reportText } from '../report/document.js';
import { joinSettingFlags, sharedFlags } from './compare-flags.js';
import { runCompare } from './compare-run.js';
import { ANY_HOST, type Address } from '../shared/wire/sockets.js';
import { runDemo } from './demo-run.js';
import { runDestination } from './destination-run.js';
import { earlyFailure } from './early-failure.js';
import { exitStatusHelp, exitStatusOf } from './exit-status.js';
import {
  commonOptions,
  guestOptions,
  guestSpecOf,
  migrationOptions,
  once,
  patienceOptions,
  refuseRepeatedFlags,
  wholeNumber,
} from './options.js';
import { complain, standardOutput } from './output.js';
import { drawnOptions, newFile, reportOptions } from './report-options.js';
import { runReport } from './report-run.js';
import { runSource } from './source-run.js';

const commandLine = joinSettingFlags(hideBin(process.argv));

const parser = yargs(commandLine)
  .scriptName('microstun')
  .usage(
    '$0 <command>\n\nLive migration of a running guest between two processes over TCP, with its stun time measured.',
  )
  .command(
    ['demo', '$0'],
    'Migrate a guest between two processes on this machine',
    (y) =>
      reportOptions(commonOptions(migrationOptions(guestOptions(y))))
        .example('$0 demo', 'a guest of 256 MiB with 2 vCPUs')
        .example(
          '$0 demo --guest replay --memory 1GiB --vcpus 4 --json',
          'every page is recomputed and compared; the report as JSON',
        ),
    async (args) => {
      process.exitCode = await runDemo(guestSpecOf(args), args);
    },
  )
  .command(
    'compare',
    'Migrate the same guest by different logics, in turn, and compare what each cost',
    (y) =>
      drawnOptions(commonOptions(migrationOptions(guestOptions(y))))
        .requiresArg(['runs', 'a', 'b', 'out', 'csv'])
        .option('runs', {
          type: 'string',
          default: '5',
          describe: 'Migrations of each setting',
          coerce: once(wholeNumber('--runs', 1, 10_000)),
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
        .example('$0 compare --a "--connections 1" --b "--connections 4"', 'any two settings')
        .example(
          '$0 compare --out all.json --report all.html',
          'every report kept, and the comparison drawn',
        ),
    async (args) => {
      process.exitCode = await runCompare(sharedFlags(commandLine), args);
    },
  )
  .command(
    'source',
    'Run a guest here, then migrate it to a destination',
    (y) =>
      patienceOptions(reportOptions(commonOptions(migrationOptions(guestOptions(y)))))
        .option('once', {
          type: 'boolean',
          default: false,
          describe: 'End after one attempt, and the guest with it: for scripts',
        })
        .option('to', {
          type: 'string',
          demandOption: true,
          describe: 'The destination, host:port',
          coerce: once((text: string) => parseAddress(text, '127.0.0.1')),
        })
        .option('listen', {
          type: 'string',
          default: '[::]:0',
          describe:
            'Where the destination dials for pages: host:port, the first of --connections + 1 ports in a row; port 0 takes any',
          coerce: once((text: string) => parseAddress(text, ANY_HOST)),
        })
        .example('$0 source --to 192.0.2.7:7000 --memory 1GiB', 'migrate to another host')
        .example(
          '$0 source --to 192.0.2.7:7000 --listen 0.0.0.0:7100',
          'page connections on ports 7100 and 7101, the fault connection on 7102, for a firewall',
        ),
    async (args) => {
      checkPortRow(args.listen, args.connections);
      process.exitCode = await runSource(guestSpecOf(args), args.to, args.listen, args);
    },
  )
  .command(
    'destination',
    'Wait for a guest and run it here',
    (y) =>
      patienceOptions(commonOptions(migrationOptions(y)))
        .option('listen', {
          type: 'string',
          default: '[::]:7000',
          describe: 'Where the source dials, host:port; port 0 takes any',
          coerce: once((text: string) => parseAddress(text, ANY_HOST)),
        })
        .option('max-memory', {
          type: 'string',
          describe: 'The largest guest to take (default: what is available)',
          coerce: once(parseSize),
        })
        .option('run-for', {
          type: 'string',
          describe: 'End this long after the migration (default: run the guest until interrupted)',
          coerce: once(parseDurationMs),
        })
        .option('once', {
          type: 'boolean',
          default: false,
          describe:
            'End when a migration was refused or cancelled, instead of waiting for the next, and give up pages whose source stays away',
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
        .example('$0 destination --run-for 5s', 'run the guest for five seconds, then end'),
    async (args) => {
      process.exitCode = await runDestination(args.listen, args);
    },
  )
  .command(
    'report <run>',
    'Draw a report that --json printed, or a comparison, as one HTML file',
    (y) =>
      y
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
        .example('$0 report run.json --out report.html', 'open report.html in any browser'),
    async (args) => {
      process.exitCode = await runReport(args.run, args.out);
    },
  )
  .check(refuseRepeatedFlags)
  .demandCommand(1)
  .strict()
  .wrap(Math.min(110, process.stdout.columns || 110))
  .epilogue(exitStatusHelp)
  .version('version', 'Show the version', packageVersion())
  .help()
  .fail((message, error) => {
    // yargs types the error as always there; for its own complaints there is only the message. What a flag's parser throws
    // comes wrapped in a YError that keeps nothing but the message.
    const thrown = error as Error | undefined;
    if (thrown?.name === 'YError') throw new MicrostunError('USAGE', thrown.message, { cause: thrown });
    throw thrown ?? new MicrostunError('USAGE', `${message}; see --help`);
  });

/** Whoever asked for a document gets one, whatever the end; a program reads it. */
const wantsDocument = commandLine.some((token) => /^--json(=true)?$/.test(token));

// The last net: a second Ctrl-C, or what nobody caught.
process.once('exit', (status) => {
  if (status === exitStatusOf('CANCELLED'))
    documentFailure(new MicrostunError('CANCELLED', 'it was interrupted and ended at once'));
  else if (status !== 0) documentFailure(new Error('it ended without a word; see standard error'));
});

try {
  await parser.parseAsync();
} catch (error) {
  process.exitCode = statusAfter(error);
}
const lost = await standardOutput.failure();
if (lost !== undefined) {
  complain(`the report could not be written to standard output: ${lost.message}`);
  if (process.exitCode === undefined || process.exitCode === 0)
    process.exitCode = exitStatusOf('OUTPUT_FAILED');
}

/** Says why a command ended early; answers its exit status. */
function statusAfter(error: unknown): number {
  documentFailure(error);
  if (error instanceof MicrostunError) {
    complain(error.message);
    return exitStatusOf(error.code);
  }
  complain(
    `this is a bug, please report it:\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  );
  return 1;
}

function documentFailure(error: unknown): void {
  if (wantsDocument && standardOutput.documents === 0) standardOutput.print(reportText(earlyFailure(error)));
}

// A fixed first port needs room for the row of page connections and the fault connection behind it.
function checkPortRow({ port }: Address, connections: number): void {
  if (port === 0 || port + connections <= 65535) return;
  throw new MicrostunError(
    'USAGE',
    `--listen with port ${port} leaves no room for ${connections} page connections and one for faults below 65536; choose a lower port`,
  );
}

function packageVersion(): string {
  return '0.1.0';
}
