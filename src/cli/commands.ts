// The command line: parses, calls, and turns errors into sentences and exit statuses.
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { MicrostunError } from '../shared/errors.js';
import { isModulePath, moduleAt } from '../shared/guest/guest-module.js';
import { codeHashOf } from '../shared/guest/programs/catalogue.js';
import { reportText } from '../report/document.js';
import { addFlagshipFlags, joinSettingFlags, sharedFlags } from './compare-flags.js';
import { runCompare } from './compare-run.js';
import { checkPortRow } from './flag-values.js';
import { runDemo } from './demo-run.js';
import { runDestination } from './destination-run.js';
import {
  compareFlags,
  demoFlags,
  destinationFlags,
  guestHashFlags,
  orderedGuestFlags,
  gatewayFlags,
  keygenFlags,
  newGuestFlags,
  reportFlags,
  sourceFlags,
} from './command-flags.js';
import { earlyFailure } from './early-failure.js';
import { exitStatusHelp, exitStatusOf } from './exit-status.js';
import { guestOf } from './guest-options.js';
import { runOrderedGuest } from './ordered-guest/ordered-guest.js';
import { complain, standardError, standardOutput } from './output.js';
import { makeGuest } from './new-guest.js';
import { runReport } from './report-run.js';
import { makeKeyFile } from './security.js';
import { runSource } from './source-run.js';
import { strictly } from './strict-parser.js';
import { runGateway } from './gateway-run.js';
import { isOfOwnProcess, isSupervising, runSupervised } from './supervised.js';
import { packageVersion } from './version.js';

const commandLine = addFlagshipFlags(joinSettingFlags(hideBin(process.argv)));

const parser = strictly(yargs(commandLine))
  .scriptName('microstun')
  .usage(
    '$0 <command>\n\nLive migration of a running guest between two processes over TCP, with its stun time measured.',
  )
  .command(
    ['demo', '$0'],
    'Migrate a guest between two processes on this machine',
    demoFlags,
    async (args) => {
      process.exitCode = isOfOwnProcess(args.guest)
        ? await runSupervised(args.json)
        : await runDemo(await guestOf(args), args);
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
    checkPortRow(args.listen, args.connections);
    process.exitCode = isOfOwnProcess(args.guest)
      ? await runSupervised(args.json)
      : await runSource(await guestOf(args), args.to, args.listen, args);
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
    'guest-hash <guest>',
    "Print the hash of a guest's code, as a destination compares it",
    guestHashFlags,
    ({ guest }) => {
      standardOutput.print(codeHashOf(guest, isModulePath(guest) ? moduleAt(guest) : undefined));
    },
  )
  .command(
    'gateway',
    'Carry the clients of a service to whichever host has its guest: they keep their connections when it moves',
    gatewayFlags,
    async (args) => {
      process.exitCode = await runGateway(args);
    },
  )
  .command(
    'new-guest <name>',
    'Make a folder with a guest of your own, which runs, moves and is tested at once',
    newGuestFlags,
    ({ name }) => {
      makeGuest(name);
      standardError.say(
        `${name}/guest.js is a guest that counts; in ${name}, npm start moves it to another process, and npm test tests that`,
      );
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
  // For whoever imports microstun, which starts it: not for people, and in no help.
  .command('ordered-guest', false, orderedGuestFlags, async (args) => {
    process.exitCode = await runOrderedGuest(await guestOf(args), args);
  })
  .demandCommand(1)
  .wrap(Math.min(110, process.stdout.columns || 110))
  .epilogue(exitStatusHelp)
  .version('version', 'Show the version', packageVersion())
  .help();

/** Whoever asked for a document gets one, whatever the end; a program reads it. */
const wantsDocument = commandLine.some((token) => /^--json(=true)?$/.test(token));

// The last net: a second Ctrl-C, or what nobody caught.
process.once('exit', (status) => {
  if (isSupervising()) return;
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
    // A guest that ends itself while nothing moves it may.
    return error.code === 'GUEST_ENDED' ? 0 : exitStatusOf(error.code);
  }
  complain(
    `this is a bug, please report it:\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  );
  return 1;
}

function documentFailure(error: unknown): void {
  if (wantsDocument && standardOutput.documents === 0) standardOutput.print(reportText(earlyFailure(error)));
}
