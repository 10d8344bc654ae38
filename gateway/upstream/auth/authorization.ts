/** What a remote server asks of whoever comes, and what it is given. */
import type { AuthHeader, OpenSecret } from '../../../schemas/upstream-auth.ts';
import { SlipwayError } from '../../../schemas/errors.ts';
import type { Head } from '../http1/response.ts';

/** Headers that open the door. `token` tells one set from another, so that a refusal is known to be of this one. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly token?: string;
}

/** A server's refusal (RFC 6750 §3, RFC 9728 §5.1). */
export interface Challenge {
  readonly status: 401 | 403;
  readonly error?: string;
  readonly scope?: string;
  /** URL of the protected resource's metadata. */
  readonly resourceMetadata?: string;
}

/** One way into one server, for one principal or for all. */
export interface Authorization {
  /** @throws SlipwayError where there are none to be had */
  credentials(): Promise<Credentials>;
  /**
   * The server refused them. Resolves if it is worth coming once more.
   * @param last whether the request came once more already
   * @throws SlipwayError if it is not: {@link NeedsAuthorization} where a person can help
   */
  refused(challenge: Challenge, credentials: Credentials, last: boolean): Promise<void>;
}

/** The refusal in an answer, if it is one that credentials are about. */
export function challengeOf({ status, headers }: Head): Challenge | undefined {
  const parameters = bearerParameters(headers['www-authenticate']);
  if (status === 401) return { status, ...parameters };
  return status === 403 && parameters.error === 'insufficient_scope' ? { status, ...parameters } : undefined;
}

/** The parameters of the first `Bearer` challenge (RFC 9110 §11.6.1). Scheme and names in any case, values quoted or not. */
export function bearerParameters(text = ''): Omit<Challenge, 'status'> {
  const start = /(?:^|,)\s*bearer(?:\s+|$)/i.exec(text);
  if (!start) return {};
  const found = new Map<string, string>();
  const parameter = /\s*([!#$%&'*+.^_`|~\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)/y;
  parameter.lastIndex = start.index + start[0].length;
  for (let match = parameter.exec(text); match; match = parameter.exec(text)) {
    const [, name = '', quoted, plain = ''] = match;
    if (!found.has(name.toLowerCase())) found.set(name.toLowerCase(), quoted?.replaceAll(/\\(.)/g, '$1') ?? plain);
  }
  const [error, scope, resourceMetadata] = ['error', 'scope', 'resource_metadata'].map((name) => found.get(name));
  return {
    ...(error === undefined ? {} : { error }),
    ...(scope === undefined ? {} : { scope }),
    ...(resourceMetadata === undefined ? {} : { resourceMetadata }),
  };
}

/** Opens the secrets among headers, at the moment of use. @throws SlipwayError `secret-unavailable` */
export async function openHeaders(
  headers: readonly AuthHeader[],
  open: OpenSecret,
): Promise<Readonly<Record<string, string>>> {
  const opened = headers.map(async ({ name, prefix = '', value }) => {
    // In one spelling: what is set besides must replace it, not stand next to it.
    const key = name.toLowerCase();
    if (typeof value === 'string') return [key, prefix + value] as const;
    const secret = await open(value);
    // Header injection: a secret with a line break in it would become a header of its own.
    if (!/^[\t !-~]+$/.test(secret))
      throw new SlipwayError(
        'secret-unavailable',
        `Secret ${value.secret}, key ${value.key}: it is empty, or has characters that no header can hold.`,
      );
    return [key, prefix + secret] as const;
  });
  return Object.fromEntries(await Promise.all(opened));
}

/** Headers that stand in the config. Nothing helps where they are refused. */
export class StaticAuthorization implements Authorization {
  readonly #headers: readonly AuthHeader[];
  readonly #open: OpenSecret;

  constructor(headers: readonly AuthHeader[], open: OpenSecret) {
    this.#headers = headers;
    this.#open = open;
  }

  async credentials(): Promise<Credentials> {
    return { headers: await openHeaders(this.#headers, this.#open) };
  }

  refused({ status }: Challenge): Promise<void> {
    return Promise.reject(refusedFor(status));
  }
}

export function refusedFor(status: number): SlipwayError {
  return new SlipwayError(
    'upstream-unauthorized',
    `The server refuses the credentials that it is given (HTTP ${status}).`,
  );
}
