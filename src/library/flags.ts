// Options as the flags that say the same on the command line.
// Knows names and how a value is written; what makes sense is decided where flags are parsed.

/** Options that are for this process, and not for the one that is started. */
const OURS = new Set(['signal', 'onLine', 'execArgv']);

/** The flags of `options`, one word each: a value never looks like a flag. What is undefined was not said. */
export function flagsOf(options: object): string[] {
  return Object.entries(options).flatMap(([name, value]: [string, unknown]) => {
    if (value === undefined || OURS.has(name)) return [];
    const flag = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    if (typeof value === 'boolean') return [value ? `--${flag}` : `--no-${flag}`];
    return (Array.isArray(value) ? value : [value]).map((one) => `--${flag}=${String(one)}`);
  });
}
