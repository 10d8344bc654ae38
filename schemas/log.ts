/** How every room speaks to the operator. Where it goes is decided by whoever composes. */
export const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type Level = (typeof LEVELS)[number];
export type Log = (level: Level, message: string, fields?: Readonly<Record<string, unknown>>) => void;

export const silent: Log = () => {};

/** What is said, and how (`Gateway.spec.logging`). */
export interface LogSettings {
  /** The least that is said. At `debug`, one line for each request. */
  readonly level: Level;
  readonly format: 'plain' | 'json';
  /** Names of fields whose values are masked, besides those that sound like secrets. */
  readonly redactKeys: readonly string[];
}
