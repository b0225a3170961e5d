// The command line: parses, calls, and turns errors into sentences and exit statuses.
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { MicrostunError } from '../shared/errors.js';
import { reportText } from '../report/document.js';
import { addFlagshipFlags, joinSettingFlags, sharedFlags } from './compare-flags.js';
import { runCompare } from './compare-run.js';
import type { Address } from '../shared/wire/sockets.js';
import { runDemo } from './demo-run.js';
import { runDestination } from './destination-run.js';
import {
  compareFlags,
  demoFlags,
  destinationFlags,
  keygenFlags,
  reportFlags,
  sourceFlags,
} from './command-flags.js';
import { earlyFailure } from './early-failure.js';
import { exitStatusHelp, exitStatusOf } from './exit-status.js';
import { refuseRepeatedFlags } from './flag-values.js';
import { guestSpecOf } from './guest-options.js';
import { complain, standardError, standardOutput } from './output.js';
import { runReport } from './report-run.js';
import { makeKeyFile } from './security.js';
import { runSource } from './source-run.js';
import { packageVersion } from './version.js';

const commandLine = addFlagshipFlags(joinSettingFlags(hideBin(process.argv)));

const parser = yargs(commandLine)
  .scriptName('microstun')
  .usage(
    '$0 <command>\n\nLive migration of a running guest between two processes over TCP, with its stun time measured.',
  )
  .command(
    ['demo', '$0'],
    'Migrate a guest between two processes on this machine',
    demoFlags,
    async (args) => {
      process.exitCode = await runDemo(guestSpecOf(args), args);
    },
  )
  .command(
    'compare',
    'Migrate the same guest by different logics, in turn, and compare what each cost',
    compareFlags,
    async (args) => {
      process.exitCode = await runCompare(sharedFlags(commandLine), args);
    },
  )
  .command('source', 'Run a guest here, then migrate it to a destination', sourceFlags, async (args) => {
    if (args.listen !== undefined) checkPortRow(args.listen, args.connections);
    process.exitCode = await runSource(guestSpecOf(args), args.to, args.listen, args);
  })
  .command('destination', 'Wait for a guest and run it here', destinationFlags, async (args) => {
    process.exitCode = await runDestination(args.listen, args);
  })
  .command(
    'report <run>',
    'Draw a report that --json printed, or a comparison, as one HTML file',
    reportFlags,
    async (args) => {
      process.exitCode = await runReport(args.run, args.out);
    },
  )
  .command(
    'keygen <file>',
    'Make a key for both sides of migrations between hosts, in a file that only its owner may read',
    keygenFlags,
    (args) => {
      const isNew = makeKeyFile(args.file, args.keep);
      standardError.say(
        isNew
          ? `${args.file} holds a new key; copy it to the other host in a safe way, and give both sides --key-file ${args.file}`
          : `${args.file} holds a key already, which stays`,
      );
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
