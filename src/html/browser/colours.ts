// The colours of the style sheet by their names, as a canvas needs them.
// Knows colours.css; the reader's preference is the style sheet's.

/** The colour `--name` as it is now: it changes with the reader's preference. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
