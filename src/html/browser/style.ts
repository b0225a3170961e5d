// The page's style sheet: light and dark by the reader's preference, one column on a phone.
// Colours have names here; charts-drawing.ts and the sections use the names.
import { layoutStyle } from './style-layout.js';

const light = `
  --page: #f5f4f0; --card: #ffffff; --ink: #16181d; --soft: #5b6170; --rule: #e6e4dd; --well: #efeee9;
  --before: #9a9fac; --source: #2563d6; --source-wash: rgb(37 99 214 / .10); --destination: #c2570c; --destination-wash: rgb(194 87 12 / .10);
  --stun: #cf2452; --stun-wash: rgb(207 36 82 / .10);
  --good: #18794e; --good-wash: #ddf3e4; --bad: #c02634; --bad-wash: #fde3e3; --warning: #8a5a00; --warning-wash: #fff0c9;
  --dirty: #bcd0f2; --sent: #2563d6;
  --tone-setup: rgb(100 105 120 / .09); --tone-trace: rgb(124 77 214 / .22); --tone-copy: rgb(37 99 214 / .11);
  --tone-copy-odd: rgb(37 99 214 / .19); --tone-stun: rgb(207 36 82 / .75); --tone-push: rgb(214 137 16 / .16); --tone-audit: rgb(24 121 78 / .10);
  --shade-0: #eceae4; --shade-1: #cfe0fa; --shade-2: #9bbdf3; --shade-3: #5f92e8; --shade-4: #2a63cc; --shade-5: #123a8a;
  --part-1: #0f3d94; --part-2: #2563d6; --part-3: #6797ec; --part-4: #a9c5f6; --part-5: #9a9fac; --part-6: #f2b48a; --part-7: #df7a2e; --part-8: #a3470a;
`;

const dark = `
  --page: #0e1014; --card: #171a20; --ink: #eceef3; --soft: #9ba3b4; --rule: #2a2e38; --well: #20242c;
  --before: #7b8294; --source: #72a5ff; --source-wash: rgb(114 165 255 / .12); --destination: #ff9d57; --destination-wash: rgb(255 157 87 / .12);
  --stun: #ff6487; --stun-wash: rgb(255 100 135 / .12);
  --good: #6bd6a0; --good-wash: #14352a; --bad: #ff8d94; --bad-wash: #42191f; --warning: #f2c665; --warning-wash: #3a2d0c;
  --dirty: #2e4670; --sent: #72a5ff;
  --tone-setup: rgb(160 168 190 / .08); --tone-trace: rgb(160 120 255 / .22); --tone-copy: rgb(114 165 255 / .09);
  --tone-copy-odd: rgb(114 165 255 / .16); --tone-stun: rgb(255 100 135 / .8); --tone-push: rgb(255 190 80 / .16); --tone-audit: rgb(107 214 160 / .11);
  --shade-0: #20242c; --shade-1: #1f3357; --shade-2: #2a4c8c; --shade-3: #3f70cc; --shade-4: #72a5ff; --shade-5: #cfe1ff;
  --part-1: #3a6fd8; --part-2: #72a5ff; --part-3: #a9c8ff; --part-4: #d6e5ff; --part-5: #7b8294; --part-6: #ffd9bd; --part-7: #ff9d57; --part-8: #d26a1c;
`;

const parts = [
  'parkMs',
  'harvestMs',
  'compactionMs',
  'sendMs',
  'networkMs',
  'validationMs',
  'placementMs',
  'resumeMs',
].map((key, at) => `.part-${key} { background: var(--part-${at + 1}); }`);

const shades = [0, 1, 2, 3, 4, 5].map(
  (shade) => `.shade-${shade} { fill: var(--shade-${shade}); background: var(--shade-${shade}); }`,
);

const tones = ['setup', 'trace', 'copy', 'copy-odd', 'stun', 'push', 'audit'].map(
  (tone) => `.tone-${tone} { background: var(--tone-${tone}); }`,
);

export const pageStyle = [
  `:root { color-scheme: light dark; ${light} }`,
  `@media (prefers-color-scheme: dark) { :root { ${dark} } }`,
  ...parts,
  ...shades,
  ...tones,
  layoutStyle,
].join('\n');
