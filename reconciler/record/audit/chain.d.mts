export declare const WORKER: string;

export declare function chain(
  pieces: readonly string[],
  seq: number,
  prev: string,
): { bytes: Uint8Array<ArrayBuffer>; hash: string };
