// Replies of a server that speaks RESP2, from its bytes.
// Fed with any pieces; answers those that are whole.

/** An error is a text with a minus before it; a status one with a plus. */
export type Reply = string | number | bigint | null | Reply[] | { readonly bulk: string };

export class ReplyReader {
  #bytes = Buffer.alloc(0);

  /** Bytes that are no whole reply yet. */
  get waiting(): number {
    return this.#bytes.length;
  }

  feed(bytes: Uint8Array): Reply[] {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    const replies: Reply[] = [];
    for (let at = 0; ;) {
      const read = readReply(this.#bytes, at);
      if (read === undefined) {
        this.#bytes = this.#bytes.subarray(at);
        return replies;
      }
      replies.push(read.reply);
      at = read.end;
    }
  }
}

function readReply(bytes: Buffer, from: number): { reply: Reply; end: number } | undefined {
  const lineEnd = bytes.indexOf('\r\n', from);
  if (lineEnd < 0) return undefined;
  const line = bytes.toString('latin1', from + 1, lineEnd);
  const end = lineEnd + 2;
  switch (String.fromCharCode(bytes[from]!)) {
    case '+':
    case '-':
      return { reply: bytes.toString('latin1', from, lineEnd), end };
    case ':':
      return { reply: Number.isSafeInteger(Number(line)) ? Number(line) : BigInt(line), end };
    case '$': {
      const length = Number(line);
      if (length < 0) return { reply: null, end };
      if (end + length + 2 > bytes.length) return undefined;
      return { reply: { bulk: bytes.toString('latin1', end, end + length) }, end: end + length + 2 };
    }
    case '*':
      return readArray(bytes, Number(line), end);
    default:
      throw new Error(`no reply begins like this: ${JSON.stringify(line)}`);
  }
}

function readArray(bytes: Buffer, count: number, from: number): { reply: Reply; end: number } | undefined {
  if (count < 0) return { reply: null, end: from };
  const replies: Reply[] = [];
  let end = from;
  for (let index = 0; index < count; index++) {
    const read = readReply(bytes, end);
    if (read === undefined) return undefined;
    replies.push(read.reply);
    end = read.end;
  }
  return { reply: replies, end };
}
