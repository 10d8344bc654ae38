/** How the gateway shows a remote server that it may use it, as the snapshot says it: references to secrets, no values. */
import { z } from 'zod';

/** Where a secret's value comes from. `secret` and `key` name it for people. */
export const secretUse = z.strictObject({
  secret: z.string(),
  key: z.string(),
  from: z.union([
    z.strictObject({ env: z.string() }),
    z.strictObject({ file: z.string() }),
    /** Changes when the value does. What it names lies, still encrypted, in the state directory. */
    z.strictObject({ sealed: z.string() }),
  ]),
});

const header = z.strictObject({
  name: z.string(),
  /** What stands before the value: `Bearer `. */
  prefix: z.string().optional(),
  value: z.union([z.string(), secretUse]),
});
export const headersSchema = z.array(header);
const headers = headersSchema;

/** A client of an authorization server, if it is registered there by hand. */
const client = { clientId: z.string().optional(), clientSecret: secretUse.optional() };
const scopes = z.array(z.string()).optional();

export const upstreamAuthSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('headers'), headers }),
  z.strictObject({
    type: z.literal('oauth'),
    /** Whether everybody has a token of their own, and with it connections and lists of their own. */
    perPrincipal: z.boolean(),
    ...client,
    issuer: z.string().optional(),
    scopes,
    headers,
  }),
  z.strictObject({
    type: z.literal('clientCredentials'),
    clientId: z.string(),
    clientSecret: secretUse,
    issuer: z.string().optional(),
    scopes,
    headers,
  }),
  z.strictObject({
    type: z.literal('tokenExchange'),
    ...client,
    issuer: z.string(),
    audience: z.string().optional(),
    scopes,
    headers,
  }),
]);

export type UpstreamAuth = z.output<typeof upstreamAuthSchema>;
export type SecretUse = z.output<typeof secretUse>;
export type AuthHeader = z.output<typeof header>;

/** Reads a secret's value, at the moment of use. @throws SlipwayError `secret-unavailable`, without the value */
export type OpenSecret = (use: SecretUse) => Promise<string>;
