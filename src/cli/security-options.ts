// The flags that say how connections are protected. Files are named, secrets never are: a command line is for all to read.
import type { Argv } from 'yargs';
import { once } from './flag-values.js';

/** Flags of every command that makes or takes connections. */
export function securityOptions<T>(yargs: Argv<T>) {
  return yargs
    .requiresArg(['key-file', 'tls-cert', 'tls-key', 'tls-ca', 'tls-peer'])
    .option('key-file', {
      type: 'string',
      describe:
        'Encrypt, and trust whoever has the same key: the file that "microstun keygen" made, on both sides',
      coerce: once((text: string) => text),
    })
    .option('tls-cert', {
      type: 'string',
      describe: 'Encrypt, and show this certificate (PEM, with those between it and the authority)',
      coerce: once((text: string) => text),
    })
    .option('tls-key', {
      type: 'string',
      describe: 'The private key of --tls-cert (PEM)',
      coerce: once((text: string) => text),
    })
    .option('tls-ca', {
      type: 'string',
      describe: 'Trust certificates that these authorities have signed (PEM)',
      coerce: once((text: string) => text),
    })
    .option('tls-peer', {
      type: 'string',
      describe:
        'The name that the peer’s certificate must have, or several with commas (default: a source asks for the host in --to; a destination takes any that --tls-ca has signed)',
      coerce: once(peerNames),
    });
}

/** Whether to do without, beyond this host: of commands that may be told of another. */
export function insecureOption<T>(yargs: Argv<T>) {
  return yargs.option('insecure', {
    type: 'boolean',
    default: false,
    describe: 'Talk to other hosts in clear text, to and from anybody: on a network that you trust',
  });
}

function peerNames(text: string): readonly string[] {
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

export interface SecurityArguments {
  readonly keyFile?: string | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly tlsCa?: string | undefined;
  readonly tlsPeer?: readonly string[] | undefined;
  readonly insecure?: boolean | undefined;
}

/** The flags that say the same again, to a process of our own. */
export function securityFlagsOf(args: SecurityArguments): string[] {
  const files = {
    '--key-file': args.keyFile,
    '--tls-cert': args.tlsCert,
    '--tls-key': args.tlsKey,
    '--tls-ca': args.tlsCa,
    '--tls-peer': args.tlsPeer?.join(','),
  };
  return Object.entries(files).flatMap(([flag, value]) => (value === undefined ? [] : [flag, value]));
}
