// The part of the WebAssembly API that we use; TypeScript declares it with the browser's types only.
declare namespace WebAssembly {
  class Memory {
    constructor(descriptor: { initial: number; maximum: number; shared: true });
    readonly buffer: SharedArrayBuffer;
    grow(morePages: number): number;
  }
  const Module: new (binary: Uint8Array) => object;
  class Instance {
    constructor(module: object, imports?: { env: { memory: Memory } });
    readonly exports: object;
  }
}
