// HTML that is escaped unless it says that it is HTML: a tagged template and what may go into it.
// Knows nothing of reports.

/** A piece of finished HTML. Made by `html` and `trusted` only. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Insert = Markup | string | number | undefined | readonly Insert[];

/** Text in the template is HTML; what is inserted is escaped, unless it is Markup itself. */
export function html(pieces: TemplateStringsArray, ...inserts: readonly Insert[]): Markup {
  return new Markup(pieces.map((piece, at) => piece + render(inserts[at])).join(''));
}

/** HTML that this program wrote itself, never text from a report. */
export function trusted(text: string): Markup {
  return new Markup(text);
}

function render(insert: Insert): string {
  if (insert === undefined) return '';
  if (insert instanceof Markup) return insert.text;
  if (typeof insert === 'object') return insert.map(render).join('');
  return escapeText(String(insert));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  // A browser drops or replaces it; so does this.
  '\0': '\ufffd',
};

/** Safe as text and within a quoted attribute. */
export function escapeText(text: string): string {
  return text.replace(/[&<>"'\0]/g, (character) => ENTITIES[character]!);
}

/** JSON that can stand in a script element: nothing in it can end the element or begin a comment. */
export function jsonIsland(id: string, value: unknown): Markup {
  const json = JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return html`<script type="application/json" id="${id}">
    ${trusted(json)}
  </script>`;
}

/** A number of the report: shown for people, its exact value and its place in the report for machines. */
export function figure(field: string, value: number, shown: string): Markup {
  return html`<data data-field="${field}" value="${value}">${shown}</data>`;
}
