/**
 * Whether a delivery is genuine. Pure. All comparing takes the same time whatever differs (timing attacks): what is compared
 * are hashes, which are of one length. Refusals do not say what was wrong: that would help whoever guesses.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { SlipwayError } from '../../schemas/errors.ts';
import type { HookRequest } from '../../schemas/hooks.ts';

export interface Delivery {
  readonly headers: HookRequest['headers'];
  readonly body: Buffer;
  readonly secret: string;
  /** Unix time in ms. */
  readonly now: number;
  readonly windowMs: number;
}

export const ungenuine = (): SlipwayError =>
  new SlipwayError('unauthorized', 'The delivery is not signed as it should be.', {
    hint: 'Give the forge the secret that Gateway spec.review.webhook.secret names.',
  });

/** A header that there must be once. */
export function headerOf(headers: HookRequest['headers'], name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}

export function sameText(a: string, b: string): boolean {
  return timingSafeEqual(sha256(a), sha256(b));
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

/** @throws SlipwayError unauthorized where the header is not `<prefix><hex of HMAC-SHA256 over the body>` */
export function checkHmac({ headers, body, secret }: Delivery, header: string, prefix = ''): void {
  const wanted = `${prefix}${createHmac('sha256', secret).update(body).digest('hex')}`;
  if (!sameText(headerOf(headers, header) ?? '', wanted)) throw ungenuine();
}

/** A header that every delivery signed like this has. */
export const STANDARD_SIGNATURE = 'webhook-signature';

/**
 * Standard Webhooks (https://www.standardwebhooks.com): HMAC-SHA256 over `<id>.<timestamp>.<body>`, in base64 behind `v1,`; of
 * several signatures one must hold. A secret that begins with `whsec_` is base64 behind it.
 * @throws SlipwayError unauthorized, also for what was signed too long ago, or is to be signed only later (replay)
 */
export function checkStandard({ headers, body, secret, now, windowMs }: Delivery): void {
  const [id = '', at = '', signatures = ''] = ['webhook-id', 'webhook-timestamp', STANDARD_SIGNATURE].map((name) =>
    headerOf(headers, name),
  );
  if (id === '' || !/^\d{1,12}$/.test(at) || Math.abs(now - Number(at) * 1000) > windowMs) throw ungenuine();
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice('whsec_'.length), 'base64') : secret;
  const wanted = `v1,${createHmac('sha256', key).update(`${id}.${at}.`).update(body).digest('base64')}`;
  if (!signatures.split(' ', 16).some((signature) => sameText(signature, wanted))) throw ungenuine();
}

/** What the same delivery has in common with itself: no forge signs the id, so an attacker could send another one. */
export const fingerprintOf = (body: Buffer): string => createHash('sha256').update(body).digest('base64');
