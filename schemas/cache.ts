/** What is kept so that it need not be made again: settings, where texts are kept on disk, and what is told of it. */
import { z } from 'zod';

/** `Gateway.spec.cache`. */
export const cacheSettingsSchema = z.strictObject({
  /** How large it may become on disk: bytes, or a share of the partition in percent. */
  max: z.union([z.strictObject({ bytes: z.number() }), z.strictObject({ percent: z.number() })]),
  /** After so long without use a text is forgotten (ms). */
  ttlMs: z.number(),
  maxMemoryEntries: z.number(),
});
export type CacheSettings = z.output<typeof cacheSettingsSchema>;

/** What holds where the config says nothing. */
export const CACHE_DEFAULTS: CacheSettings = {
  max: { bytes: 256 * 1024 * 1024 },
  ttlMs: 30 * 24 * 60 * 60 * 1000,
  maxMemoryEntries: 500,
};

/** Keeps texts on disk. What cannot be read or written is as if it had never been there; that is told in a log, once. */
export interface TextStore {
  configure(settings: CacheSettings): void;
  /** Marks it as used. @param key SHA-256 in hex */
  read(namespace: string, key: string): Promise<string | undefined>;
  write(namespace: string, key: string, text: string): Promise<void>;
  stats(): Promise<DiskStats>;
  clear(which: ClearRequest): Promise<Cleared>;
}

export interface DiskStats {
  readonly bytes: number;
  readonly maxBytes: number;
  readonly namespaces: readonly NamespaceStats[];
  /** What went wrong last; absent when all is well. */
  readonly lastError?: string;
}

export interface NamespaceStats {
  readonly namespace: string;
  readonly entries: number;
  readonly bytes: number;
  /** ISO 8601: when something in it was last used. */
  readonly usedAt: string;
}

/** `DELETE /cache/<namespace>?olderThan=<ms>`: all, but for what is absent. */
export interface ClearRequest {
  readonly namespace?: string | undefined;
  /** Only what was not used for so long (ms). */
  readonly olderThanMs?: number | undefined;
}

export interface Cleared {
  readonly entries: number;
  readonly bytes: number;
}

/** `GET /cache`. */
export interface CacheStats {
  /** Texts that models made. */
  readonly texts: {
    readonly memory: { readonly entries: number; readonly maxEntries: number };
    /** Absent where texts are kept in memory only. */
    readonly disk?: DiskStats;
    readonly hits: number;
    readonly misses: number;
  };
  /** Results of tools. */
  readonly results: {
    readonly entries: number;
    readonly bytes: number;
    readonly maxBytes: number;
    readonly hits: number;
    readonly misses: number;
  };
}

/** What the CLI asks of a running gateway. */
export interface CacheDesk {
  stats(): Promise<CacheStats>;
  clear(which: ClearRequest): Promise<Cleared>;
}
