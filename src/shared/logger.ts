// The log: to standard error, as JSON lines or, on a terminal, for people. Standard output belongs to reports.
import { pino, type Logger } from 'pino';
import { PinoPretty } from 'pino-pretty';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** A logger that writes synchronously, so that nothing is lost when the process ends. */
export function createLogger(name: string, level: LogLevel): Logger {
  const destination = process.stderr.isTTY
    ? PinoPretty({ destination: 2, sync: true, ignore: 'pid,hostname', translateTime: 'HH:MM:ss.l' })
    : pino.destination({ dest: 2, sync: true });
  return pino({ name, level }, destination);
}
