/** JWT access tokens (RFC 7519, RFC 9068): whose they are, checked as RFC 8725 asks. */
import type { JWTPayload, JWTVerifyOptions, JWTVerifyResult } from 'jose';
import { canonicalEmail } from '../../schemas/email.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import type { Provider } from '../../schemas/snapshot.ts';
import type { Keys } from './keys.ts';
import { canonicalUrl } from './url.ts';

/** What a token says, once it is believed. */
export interface AccessToken {
  readonly provider: Provider;
  /** What the provider's userClaim says. */
  readonly subject: string;
  /** In one spelling; absent unless the provider vouches for it. */
  readonly email?: string;
  /** Groups as the provider calls them. */
  readonly groups: readonly string[];
  readonly audiences: readonly string[];
  /** Those of them that are URLs, in one spelling. */
  readonly resources: ReadonlySet<string>;
  /** OAuth scopes. */
  readonly scopes: ReadonlySet<string>;
  /** Unix time in ms, clock skew included. */
  readonly expiresAt: number;
}

const JWT = /^[\w-]+\.[\w-]+\.[\w-]*$/;

/** Whether it is worth while to look closer. */
export const looksLikeJwt = (token: string): boolean => JWT.test(token);

/** RFC 8725 §3.11: a JWT that is meant for something else (log-out, DPoP, a request) is no access token. */
const TYPES = new Set([undefined, 'jwt', 'at+jwt', 'application/at+jwt']);

/**
 * @param providers by issuer
 * @throws SlipwayError `unauthorized` with a reason that tells nothing of the token; `provider-unreachable`
 */
export async function readAccessToken(
  token: string,
  providers: ReadonlyMap<string, { readonly provider: Provider; readonly keys: Keys }>,
): Promise<AccessToken> {
  const { decodeJwt, errors } = await import('jose');
  try {
    // Only to find out whose keys to check it with: nothing is believed before it is verified.
    const found = providers.get(decodeJwt(token).iss ?? '');
    if (!found) throw refused('The token comes from no identity provider that is known here.');
    const { provider, keys } = found;
    const { payload, protectedHeader } = await verify(token, keys, {
      issuer: provider.issuer,
      algorithms: provider.algorithms,
      clockTolerance: provider.clockSkewMs / 1000,
      requiredClaims: ['exp', 'aud'],
    });
    if (!TYPES.has(protectedHeader.typ?.toLowerCase())) throw refused('The token is no access token.');
    return read(payload, provider);
  } catch (error) {
    if (error instanceof SlipwayError) throw error;
    if (error instanceof errors.JWTExpired) throw refused('The token has expired.');
    if (error instanceof errors.JOSEError) throw refused('The token is not valid.', error);
    throw error;
  }
}

/** A token need not say which key it was signed with: then it may be any that fits, or one that has come in the place of another. */
async function verify(token: string, keys: Keys, options: JWTVerifyOptions): Promise<JWTVerifyResult> {
  const { decodeProtectedHeader, errors, jwtVerify } = await import('jose');
  const once = (): Promise<JWTVerifyResult> =>
    jwtVerify(token, keys.find, options).catch(async (error: unknown) => {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      for await (const key of error) {
        const found = await jwtVerify(token, key, options).catch((wrong: unknown) => {
          if (!(wrong instanceof errors.JWSSignatureVerificationFailed)) throw wrong;
        });
        if (found) return found;
      }
      throw new errors.JWSSignatureVerificationFailed();
    });
  return once().catch(async (error: unknown) => {
    // Only then is it known that there is a header to read.
    if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
    if (decodeProtectedHeader(token).kid !== undefined || !(await keys.renewed())) throw error;
    return once();
  });
}

function read(payload: JWTPayload, provider: Provider): AccessToken {
  // RFC 9449 §7.1: what is bound to a key proves nothing without that key, and who stole it has only the token.
  if (payload['cnf'] !== undefined) throw refused('The token is bound to a key; such tokens are not taken.');
  for (const [name, values] of Object.entries(provider.requiredClaims))
    if (!texts(claim(payload, name)).some((value) => values.includes(value)))
      throw refused(`The token’s claim ${name} is not as required.`);
  const [subject = ''] = texts(claim(payload, provider.userClaim));
  const { email, email_verified: verified, scope, scp } = payload;
  const vouched = verified === true || verified === 'true' || (verified === undefined && provider.trustEmail);
  // Impersonation (nOAuth): at many providers users write their e-mail address themselves.
  if (provider.userClaim === 'email' && !vouched) throw refused('The provider does not vouch for the e-mail address.');
  // Control characters and the like would end up in logs and records.
  if (!/^[^\p{Cc}\p{Zl}\p{Zp}]{1,255}$/u.test(subject)) throw refused('The token names no user.');
  return {
    provider,
    subject,
    ...(typeof email === 'string' && vouched ? { email: canonicalEmail(email) } : {}),
    groups: texts(claim(payload, provider.groupsClaim)),
    audiences: texts(payload.aud),
    resources: new Set(
      texts(payload.aud)
        .filter((text) => URL.canParse(text))
        .map(canonicalUrl),
    ),
    scopes: new Set(texts(scope ?? scp).flatMap((text) => text.split(' '))),
    expiresAt: (payload.exp ?? 0) * 1000 + provider.clockSkewMs,
  };
}

/** A claim of that very name, or else the way into objects that its dots tell: `realm_access.roles`. */
function claim(payload: JWTPayload, name: string): unknown {
  if (Object.hasOwn(payload, name)) return payload[name];
  return name.split('.').reduce<unknown>((value, key) => {
    const within = typeof value === 'object' && value !== null && Object.hasOwn(value, key);
    return within ? (value as Record<string, unknown>)[key] : undefined;
  }, payload);
}

/** One or many, as text. */
function texts(value: unknown): string[] {
  const many: unknown[] = Array.isArray(value) ? value : [value];
  return many.filter((one) => ['string', 'number', 'boolean'].includes(typeof one)).map(String);
}

const refused = (message: string, cause?: unknown): SlipwayError =>
  new SlipwayError('unauthorized', message, {
    hint: 'Log in again for a new token.',
    ...(cause === undefined ? {} : { cause }),
  });
