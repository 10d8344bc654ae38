/** How every room speaks to the operator. Where it goes is decided by whoever composes. */
export type Level = 'debug' | 'info' | 'warn' | 'error';
export type Log = (level: Level, message: string, fields?: Readonly<Record<string, unknown>>) => void;

export const silent: Log = () => {};
