/** When each Token was used last. Kept over snapshots; on the way of a call it costs one assignment. */
export interface Use {
  /** Unix time in ms; 0 for never. */
  at: number;
}

export class Usage {
  readonly #uses = new Map<string, Use>();

  of(name: string): Use {
    const use = this.#uses.get(name) ?? { at: 0 };
    this.#uses.set(name, use);
    return use;
  }

  /** Unix times in ms, of those that were used since the gateway started. */
  lastUsed(): ReadonlyMap<string, number> {
    const used = [...this.#uses].filter(([, { at }]) => at > 0);
    return new Map(used.map(([name, { at }]) => [name, at]));
  }
}
