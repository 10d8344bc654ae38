/** One JSON document that outlives the program, whoever keeps it. */
export interface Store {
  /** What was written last; `undefined` where there is nothing, `null` where it cannot be read. */
  read(): unknown;
  /** Whole or not at all, also in a crash. */
  write(json: string): Promise<void>;
}
