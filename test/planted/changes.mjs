// Small changes of the product that some test must see: a text of a built file, what takes its place, and why it matters.
// Each text is in its file exactly once; whoever changes that line mends the entry.

const unit = (...names) => names.map((name) => `unit/${name}`);
const explored = unit('real-interleavings');
const bitmaps = unit('page-bitmap', 'compacted-bitmap', 'kernels');
const doors = unit('guest-memory', 'guest-memory-blocks', 'guest-memory-model');
const frames = unit('frames', 'page-frames', 'messages', 'messages-nested', 'hostile-bodies', 'nesting');
const machines = unit('hand-over', 'source-phases', 'destination-phases', 'simulation');
const planted = (file, tests, ...rows) => rows.map(([from, to, why]) => ({ file, tests, from, to, why }));

export const changes = [
  ...planted(
    'shared/memory/page-bitmap.js',
    bitmaps,
    ['|= 1 << (page & 31)', '|= 1 << (page & 15)', 'adds another page'],
    ['page = (page | 31) + 1;', 'page = (page | 31) + 2;', 'skips the first page of a word'],
    ['if (rest !== 0)', 'if (rest > 1)', 'calls a page past the end set'],
    [
      'Math.min(end, page + trailingZeros32(differing))',
      'page + trailingZeros32(differing)',
      'answers a page past the end',
    ],
  ),
  ...planted(
    'shared/memory/compacted-bitmap.js',
    bitmaps,
    ['if (stated !== pageCount)', 'if (stated > pageCount)', 'takes a bitmap of another guest'],
    ['if (problem !== 0)', 'if (problem > 8)', 'takes runs that are wrong'],
    ['encoded.length > rawBitmapBytes(pageCount)', 'false', 'takes runs that are longer than the raw form'],
    ['encoded[encoded.length - 1] >>> spare !== 0', 'false', 'takes bits past the guest'],
    ['rawBytes * NUMBERS_PER_RAW_BYTE_MAX', 'rawBytes', 'encodes a dense bitmap'],
    [
      'encoded.length !== rawBitmapBytes(pageCount)',
      'encoded.length < rawBitmapBytes(pageCount)',
      'takes trailing bytes',
    ],
  ),
  ...planted(
    'shared/memory/bitmap-kernels.js',
    bitmaps,
    ['words[from.length] = 0;', '', 'counts what was left behind the last word'],
    ['(wordCount + 1) >>> 1', 'wordCount >>> 1', 'forgets the last word'],
  ),
  ...planted(
    'shared/memory/guest-memory.js',
    doors,
    ['pageTable[page] = PageState.PRESENT;', '', 'a fire that leaves no dirty page'],
    ['summary[page >>> REGION_PAGE_SHIFT] = 1;', '', 'a fire that does not mark its region'],
    ['events.pageFires++;', '', 'a fire that is not counted'],
    ['if (gpa % width !== 0)', 'if (false)', 'a misaligned word goes ahead'],
    ['gpa + byteCount <= memoryBytes', 'gpa < memoryBytes', 'a block past the end goes ahead'],
    [
      '(gpa + byteCount - 1) >>> PAGE_SHIFT',
      '(gpa + byteCount - 2) >>> PAGE_SHIFT',
      'a block does not check its last page',
    ],
  ),
  ...planted(
    'shared/memory/tracing.js',
    [...unit('kernels'), ...explored],
    ['words.buffer !== dirtyWords.buffer', 'false', "writes into the guest's buffer for a set elsewhere"],
    [
      'Atomics.exchange(summary, region, 0) !== 0',
      'Atomics.exchange(summary, region, 0) === 0',
      'looks at the other regions',
    ],
  ),
  ...planted(
    'shared/memory/placement.js',
    [...unit('kernels', 'page-receiver', 'page-receiver-pushed'), ...explored],
    ['Atomics.store(pageTable, page, PageState.ARRIVED);', '', 'a page that never arrives'],
    ['target.fill(0);', '', 'a zero page keeps old bytes'],
    ['scratchWords.set(words);', '', 'marks what was marked before'],
  ),
  ...planted(
    'shared/memory/vcpu-safepoint.js',
    [...unit('safepoints'), ...explored],
    ['Atomics.store(this.#words, this.#base + ACKNOWLEDGED, epoch);', '', 'never acknowledges an epoch'],
    ['Atomics.store(this.#words, this.#base + FAULT_PAGE, NO_FAULT);', '', 'is in a fault for ever'],
  ),
  ...planted(
    'shared/memory/safepoint-control.js',
    [...unit('safepoints'), ...explored],
    ['((acknowledged - epoch) | 0) >= 0', 'true', 'a grace period that waits for nobody'],
    [
      'Atomics.sub(this.#words, LACKING, pages) - pages',
      'Atomics.sub(this.#words, LACKING, pages)',
      'the last page is not told',
    ],
  ),
  ...planted('source/tracer/tracer.js', explored, [
    'this.#safepoints.waitUntilParked();',
    '',
    'the last harvest does not wait for the park',
  ]),
  ...planted(
    'source/states/convergence.js',
    unit('convergence'),
    ['fixedMs + copyMs <= limits.stunBudgetMs', 'copyMs <= limits.stunBudgetMs', 'forgets the fixed costs'],
    ['rounds.length >= limits.roundsMax', 'rounds.length > limits.roundsMax', 'one round too many'],
    ['rounds.length >= TELLING_ROUNDS', 'rounds.length >= 1', 'gives up after one round'],
    ['const PAYING_SHARE = 0.9;', 'const PAYING_SHARE = 1.1;', 'never sees that there is no progress'],
    ['const PAYING_SHARE_PUSHED = 0.75;', 'const PAYING_SHARE_PUSHED = 0.95;', 'pushes too late'],
    ['rounds.slice(-3)', 'rounds.slice(0, 3)', 'measures the oldest rounds'],
    [
      'stunWithoutCopyMs + (pagesFollow ? 0 : copyMs)',
      'stunWithoutCopyMs + copyMs',
      'counts pages that follow',
    ],
  ),
  ...planted(
    'source/states/control.js',
    [...unit('control'), ...machines],
    ['Math.min(limits.retryMsMax,', 'Math.max(limits.retryMsMax,', 'always pauses for the longest time'],
    ["control.name === 'up'", 'false', 'a lost connection has no limit'],
    ["if (control.name === 'waiting')", 'if (false)', 'a connection that waits is lost again'],
  ),
  ...planted(
    'destination/states/hand-over-check.js',
    unit('hand-over-check', 'incoming-round'),
    ['if (fault !== undefined)', 'if (false)', 'takes a wrong checkpoint'],
    [
      'handOver.finalPages !== lackingPages',
      'handOver.finalPages > lackingPages',
      'takes a bitmap of more pages',
    ],
    ['one !== checked.words[index]', 'false', 'does not compare the last round'],
  ),
  ...planted(
    'destination/pages/round-shares.js',
    unit('round-shares'),
    ['share.pages += pages;', 'share.pages = pages;', 'counts the last share only'],
    ['share.shares < this.#next.length', 'share.shares <= this.#next.length', 'never ends a round'],
    ['round > slowest + 1', 'false', 'lets a connection go ahead'],
    ['if (round !== next)', 'if (round < next)', 'takes rounds that were left out'],
  ),
  ...planted(
    'shared/wire/frames.js',
    frames,
    ['crc32(checked, header.ownCheck) !== header.check', 'false', 'takes damaged frames'],
    ['bytes.readUInt16BE(offset + 2) !== 0', 'false', 'takes reserved bits'],
    ['this.#expected?.has(header.name) === false', 'false', 'takes frames of other connections'],
    ['if (name === undefined)', 'if (type > 200)', 'takes unknown types'],
    ['this.#neededBytes = end;', 'this.#neededBytes = end + 1;', 'waits for a byte too many'],
  ),
  ...planted(
    'shared/wire/page-frames.js',
    frames,
    ['(sent[index] & zero[index]) !== 0', 'false', 'takes a page as sent and zero'],
    ['& invalid) !== 0', '& 0) !== 0', 'takes pages past the guest'],
    ['if (bodyBytes !== regionBodyBytes(sent, flags))', 'if (false)', 'takes a length that does not fit'],
    ['if (page >= pageCount)', 'if (page > pageCount)', 'takes the page after the last'],
    ['(flags & ~KNOWN_FLAGS) !== 0', 'false', 'takes unknown flags'],
    ['if (pagesInRegion <= 0)', 'if (pagesInRegion < 0)', 'takes a region past the guest'],
    ['crc32(pages) !== check.readUInt32BE(0)', 'false', 'takes damaged pages'],
  ),
  ...planted('shared/wire/fields.js', frames, [
    '!msgpack.encode(value, { codec: plainCodec }).equals(bytes)',
    'false',
    'takes a body that is not in its plain form',
  ]),
  ...planted(
    'shared/wire/nesting.js',
    frames,
    ['items > ITEMS_MAX', 'false', 'takes any number of items'],
    ['open.length > DEPTH_MAX', 'false', 'takes any depth'],
    ['children > bytes.length - at', 'false', 'takes a container of more than there is'],
  ),
  ...planted(
    'shared/guest/checkpoint.js',
    unit('hand-over-check'),
    ['checkpoint.registers.length !== vcpus', 'false', 'takes registers of other vCPUs'],
    ['checkpoint.guestClockUs < 0', 'false', 'takes a clock before its beginning'],
  ),
  ...planted(
    'shared/guest/gap-buckets.js',
    unit('gap-buckets'),
    ['bucket >= GAP_BUCKETS', 'bucket > GAP_BUCKETS', 'takes a bucket past the last'],
    ['bucket < 0', 'false', 'takes a bucket before the first'],
    ['count < 0', 'false', 'takes a count below none'],
    ['return GAP_BUCKETS - 1;', 'return GAP_BUCKETS;', 'counts the longest gaps nowhere'],
  ),
  ...planted(
    'shared/guest/samples.js',
    unit('samples'),
    ['sinceMs < fromMs', 'sinceMs <= fromMs', 'leaves the first interval out'],
    ['if (!(spanUs >= 1))', 'if (false)', 'divides by no time'],
  ),
  ...planted(
    'destination/states/hand-over.js',
    machines,
    [
      'handOver.pagesFollow || placed.pages === validated.lackingPages',
      'true',
      'takes any number of pages for those promised',
    ],
    [
      'handOver.pagesFollow ? handOver.finalRound - 1 : handOver.finalRound',
      'handOver.finalRound - 1',
      'does not wait for the last round',
    ],
    ['isConfirming || placed.round < lastRound', 'false', 'refuses what is not placed yet'],
  ),
  ...planted('destination/states/step.js', machines, [
    "effects: state.name === 'ended' ? [] : [{ kind: 'reconnect-pages' }]",
    'effects: []',
    'never dials its pages again',
  ]),
  ...planted('source/states/step.js', machines, [
    "if (state.phase.name === 'ended')",
    'if (false)',
    'goes on after its end',
  ]),
  ...planted('source/states/hand-over.js', machines, [
    '!isAnswerToHandOver(message.code)',
    'false',
    'takes a forgotten migration for a refusal',
  ]),
  ...planted('source/states/welcome.js', machines, [
    'known !== instanceId',
    'false',
    'does not see that the destination was restarted',
  ]),
  ...planted('source/states/rounds.js', machines, [
    "function stopOf(plan, why, forecast, roundTripMs) {\n    const pagesFollow = plan.mode !== 'pre-copy';",
    "function stopOf(plan, why, forecast, roundTripMs) {\n    const pagesFollow = plan.mode === 'post-copy';",
    'a hybrid copies its rest within the stun',
  ]),
];
