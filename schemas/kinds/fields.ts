/** Field types that several kinds share. Only what JSON Schema can say too, so that editors and Slipway never disagree. */
import { z } from 'zod';

/** RFC 1123 label: what Kubernetes, container engines and DNS all accept as a name. */
export const name = z
  .string()
  .regex(
    /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/,
    'must be 1–63 of a–z, 0–9 and -, starting and ending with a letter or digit',
  );

export const duration = z
  .string()
  .regex(/^[0-9]{1,9}(ms|s|m|h|d)$/, 'must be a duration such as 500ms, 30s, 5m, 2h or 1d');

export const size = z
  .string()
  .regex(/^[1-9][0-9]{0,11}(Ki|Mi|Gi)?$/, 'must be a size such as 512Mi, 2Gi or a number of bytes');

/** A version that names one release of an npm package (https://semver.org): no range, no tag, nothing left out. */
export const SEMVER = /^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/;

/** The same for PyPI (PEP 440, normalised). */
export const PEP440 =
  /^([0-9]+!)?[0-9]+(\.[0-9]+)*((a|b|rc)[0-9]+)?(\.post[0-9]+)?(\.dev[0-9]+)?(\+[a-z0-9]+(\.[a-z0-9]+)*)?$/;

/** Text that can be an argument or the value of an environment variable: neither can hold a NUL. */
export const plainText = z.string().regex(/^[^\0]*$/, 'must not contain a NUL character');

/** A port of at most 65535, as a pattern. */
export const PORT = '([0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])';

export const httpUrl = z
  .string()
  .regex(
    new RegExp(`^https?://(\\[[0-9A-Fa-f:.]+\\]|[^\\s/?#@:[\\]]+)(:${PORT})?([/?#]\\S*)?$`),
    'must be an http(s) URL without user name or password',
  )
  .max(2048);

export const envName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be an environment variable name')
  .max(255);

export const secretRef = z
  .strictObject({
    secretRef: z
      .strictObject({
        name: name.describe('Name of the Secret.'),
        key: z.string().min(1).max(253).describe('Key in its data.'),
      })
      .describe('Which Secret, and which of its values.'),
  })
  .describe('A value taken from a Secret when it is needed.');

const UNIT_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s` → 90000. The text must have passed {@link duration}. */
export function milliseconds(text: string): number {
  const match = /^([0-9]+)(ms|s|m|h|d)$/.exec(text);
  if (!match) throw new TypeError(`not a duration: ${text}`);
  return Number(match[1]) * (UNIT_MS[match[2] ?? ''] ?? 1);
}

/** Timers count in 31 bits: what is longer would fire at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** Like {@link milliseconds}, for a timer: at most 24.8 days. */
export function timerMs(text: string): number {
  return Math.min(milliseconds(text), MAX_TIMER_MS);
}

const UNIT_BYTES: Record<string, number> = { '': 1, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 };

/** `4Mi` → 4194304. The text must have passed {@link size}. */
export function bytes(text: string): number {
  const match = /^([0-9]+)(Ki|Mi|Gi)?$/.exec(text);
  if (!match) throw new TypeError(`not a size: ${text}`);
  return Number(match[1]) * (UNIT_BYTES[match[2] ?? ''] ?? 1);
}
