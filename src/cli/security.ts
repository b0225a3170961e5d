// Keys and certificates from the files that flags name: read, checked, and never shown. The one place that reads secrets.
// Knows files and flags; what is done with them is shared/wire's.
import { randomBytes, X509Certificate, createPrivateKey } from 'node:crypto';
import { closeSync, existsSync, fstatSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { messageOf, MicrostunError } from '../shared/errors.js';
import { KEY_BYTES, THIS_HOST_ONLY, type Security } from '../shared/wire/security.js';
import type { SecurityArguments } from './security-options.js';

/** First line of a key file. */
const KEY_FILE_HEAD = 'microstun key 1';
const KEY_FILE = new RegExp(`^${KEY_FILE_HEAD}\\r?\\n([0-9a-f]{${2 * KEY_BYTES}})\\s*$`);

/** Longer than any chain of certificates that somebody means. */
const FILE_BYTES_MAX = 1 << 20;

/** Permission bits of those who are neither the owner nor in the file's group; and of all but the owner. */
const OTHERS = 0o007;
const ALL_BUT_OWNER = 0o077;

/**
 * How connections are protected, by the flags. `peerNames`: whom a certificate must be of where no flag says it.
 * @throws MicrostunError USAGE naming the file and what to do.
 */
export function securityOf(args: SecurityArguments, peerNames: readonly string[]): Security {
  const { keyFile, tlsCert, tlsKey, tlsCa, tlsPeer, insecure } = args;
  const named = { '--tls-cert': tlsCert, '--tls-key': tlsKey, '--tls-ca': tlsCa };
  const missing = Object.entries(named).filter(([, file]) => file === undefined);
  const isCertified = missing.length < Object.keys(named).length;
  if (keyFile !== undefined && isCertified)
    throw usage('--key-file and certificates exclude each other; leave one of them out');
  if (insecure === true && (keyFile !== undefined || isCertified))
    throw usage('--insecure is for connections without keys; leave it out, or the keys');
  if (tlsPeer !== undefined && !isCertified)
    throw usage('--tls-peer is of certificates; give --tls-cert, --tls-key and --tls-ca, or leave it out');
  if (keyFile !== undefined) return { kind: 'key', key: readKey(keyFile) };
  if (!isCertified) return insecure === true ? { kind: 'none', reach: 'anywhere' } : THIS_HOST_ONLY;
  if (tlsCert === undefined || tlsKey === undefined || tlsCa === undefined)
    throw usage(
      `certificates take three files; ${missing.map(([flag]) => flag).join(' and ')} ${missing.length === 1 ? 'is' : 'are'} missing`,
    );
  return certificatesOf(tlsCert, tlsKey, tlsCa, tlsPeer ?? peerNames);
}

function certificatesOf(
  certFile: string,
  keyFile: string,
  authoritiesFile: string,
  names: readonly string[],
): Security {
  const certificate = readText('--tls-cert', certFile);
  const privateKey = readText('--tls-key', keyFile, OTHERS);
  const authorities = readText('--tls-ca', authoritiesFile);
  const shown = checked(
    '--tls-cert',
    certFile,
    'a certificate in PEM',
    () => new X509Certificate(certificate),
  );
  const key = checked('--tls-key', keyFile, 'a private key in PEM without a passphrase', () =>
    createPrivateKey(privateKey),
  );
  checked('--tls-ca', authoritiesFile, 'a certificate in PEM', () => new X509Certificate(authorities));
  if (!shown.checkPrivateKey(key))
    throw usage(`--tls-key ${keyFile} is not the key of the certificate in --tls-cert ${certFile}`);
  checked('--tls-cert', certFile, 'what TLS takes', () =>
    createSecureContext({ cert: certificate, key: privateKey, ca: authorities }),
  );
  return { kind: 'certificates', certificate, privateKey, authorities, peer: { kind: 'named', names } };
}

function checked<T>(flag: string, file: string, what: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    // OpenSSL says where it stumbled, and nothing of what it read.
    throw usage(`${flag} ${file} is not ${what}: ${messageOf(error)}`, error);
  }
}

function readKey(file: string): Uint8Array {
  const digits = KEY_FILE.exec(readText('--key-file', file, ALL_BUT_OWNER))?.[1];
  if (digits === undefined)
    throw usage(`--key-file ${file} is no key of microstun; make one with: microstun keygen ${file}`);
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}

// A secret that `forbidden` others may read is none. The file is looked at as it was opened: no other takes its place.
function readText(flag: string, file: string, forbidden = 0): string {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'r');
    const { mode, size } = fstatSync(descriptor);
    if (size > FILE_BYTES_MAX) throw usage(`${flag} ${file} is longer than any key or certificate`);
    if (process.platform !== 'win32' && (mode & forbidden) !== 0)
      throw usage(
        `${flag} ${file} may be read by others (its mode is ${(mode & 0o777).toString(8).padStart(4, '0')}); say: chmod 600 ${file}`,
      );
    return readFileSync(descriptor, 'utf8');
  } catch (error) {
    if (error instanceof MicrostunError) throw error;
    throw usage(`${flag} ${file} cannot be read: ${messageOf(error)}`, error);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/**
 * Makes a key and writes it to a file of its own, which nobody else may read. `keeps`: one that is there already stays.
 * Answers whether it was made.
 * @throws MicrostunError OUTPUT_FAILED: it is there already, or cannot be written; USAGE: what is there is no key.
 */
export function makeKeyFile(file: string, keeps: boolean): boolean {
  if (keeps && existsSync(file)) {
    readKey(file);
    return false;
  }
  try {
    const text = `${KEY_FILE_HEAD}\n${randomBytes(KEY_BYTES).toString('hex')}\n`;
    writeFileSync(file, text, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    const isThere = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    const why = isThere
      ? `${file} is there already, and may be in use; name another file, or delete it first`
      : `the key could not be written: ${messageOf(error)}`;
    throw new MicrostunError('OUTPUT_FAILED', why, { cause: error });
  }
}

function usage(why: string, cause?: unknown): MicrostunError {
  return new MicrostunError('USAGE', why, { cause });
}
