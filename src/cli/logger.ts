// The log: to standard error, as JSON lines or, on a terminal, for people. Standard output belongs to reports.
// Knows neither stream: whoever owns standard error takes the lines.
import { pino, type Logger } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { shortOfMemoryText } from '../shared/guest/host-memory.js';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** Takes whole lines, without their end, and never throws. */
export interface LogLines {
  /** Whether people read them. */
  readonly isTerminal: boolean;
  say(line: string): void;
}

/** A logger that hands on each line at once, so that nothing is lost when the process ends. */
export function createLogger(name: string, level: LogLevel, lines: LogLines): Logger {
  const pretty = prettyFactory({ ignore: 'pid,hostname', translateTime: 'HH:MM:ss.l' });
  const write = (line: string): void => {
    lines.say((lines.isTerminal ? pretty(line) : line).trimEnd());
  };
  return pino({ name, level }, { write });
}

/** Warns of each slice that is too long. */
function warnOfLongSlices(logger: Logger): (text: string) => void {
  return (text) => {
    logger.warn(text);
  };
}

/** Warns of all that a guest should not meet and can live with. */
export function guestWarnings(logger: Logger) {
  return { shortOfMemory: warnOfShortMemory(logger), longSlice: warnOfLongSlices(logger) };
}

/** Warns of each vCPU that waits for memory of the host. */
export function warnOfShortMemory(logger: Logger): (vcpu: number) => void {
  return (vcpu) => {
    logger.warn(shortOfMemoryText(vcpu));
  };
}
