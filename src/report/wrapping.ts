// Lines that are too long for a terminal, broken between words.
// Pure; a character is a column.

/** `text` with no line above `columns` where its words allow that; what is continued stands below where its value began. */
export function wrapLines(text: string, columns: number): string {
  return text
    .split('\n')
    .map((line) => (line.length <= columns ? line : wrapLine(line, columns)))
    .join('\n');
}

function wrapLine(line: string, columns: number): string {
  const indent = ' '.repeat(valueColumn(line, columns));
  const lines: string[] = [];
  let rest = line;
  while (rest.length > columns) {
    const from = lines.length === 0 ? indent.length : indent.length + 1;
    const space = rest.lastIndexOf(' ', columns);
    // A word that is longer than a line stays whole: it may be copied.
    const at = space > from ? space : rest.indexOf(' ', Math.max(columns, from));
    if (at === -1) break;
    lines.push(rest.slice(0, at).trimEnd());
    rest = indent + rest.slice(at).trimStart();
  }
  return [...lines, rest].join('\n');
}

// Two spaces or more stand between the cells of a row; those of the first half of a line say where its last cell begins.
function valueColumn(line: string, columns: number): number {
  let column = 0;
  for (const { index, 0: gap } of line.matchAll(/ {2,}/g)) {
    if (index + gap.length > columns / 2) break;
    column = index + gap.length;
  }
  return column;
}
