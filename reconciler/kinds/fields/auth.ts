/** From `Server.spec.auth` to what the gateway must know: where secrets are, not what they are. Pure. */
import type { AuthSpec } from '../../../schemas/kinds/fields/auth.ts';
import type { CompileContext } from '../kind.ts';
import { sourceOf } from './sources.ts';
import type { AuthHeader, SecretUse, UpstreamAuth } from '../../../schemas/upstream-auth.ts';

type Ref = { readonly name: string; readonly key: string };
type Find = (ref: Ref) => SecretUse | undefined;
type Headers = NonNullable<AuthSpec['headers']>;

export function upstreamAuth(spec: AuthSpec, find: Find): UpstreamAuth {
  const { headers, bearer, oauth, clientCredentials, tokenExchange } = spec;
  const secret = (ref: { readonly secretRef: Ref }): SecretUse => {
    const found = find(ref.secretRef);
    // References were checked when the commit was loaded.
    if (!found) throw new TypeError(`no Secret ${ref.secretRef.name} with ${ref.secretRef.key}`);
    return found;
  };
  const toHeaders = (list: Headers = []): AuthHeader[] =>
    list.map(({ name, value, valueFrom }) => ({ name, value: valueFrom ? secret(valueFrom) : (value ?? '') }));
  if (bearer)
    return { type: 'headers', headers: [{ name: 'Authorization', prefix: 'Bearer ', value: secret(bearer) }] };
  if (oauth) {
    const { store, clientSecret, ...rest } = oauth;
    return {
      ...rest,
      type: 'oauth',
      perPrincipal: store === 'perPrincipal',
      ...(clientSecret ? { clientSecret: secret(clientSecret) } : {}),
      headers: toHeaders(oauth.headers),
    };
  }
  if (clientCredentials) {
    const { clientSecret } = clientCredentials;
    return {
      ...clientCredentials,
      type: 'clientCredentials',
      clientSecret: secret(clientSecret),
      headers: toHeaders(clientCredentials.headers),
    };
  }
  if (tokenExchange) {
    const { clientSecret, ...rest } = tokenExchange;
    return {
      ...rest,
      type: 'tokenExchange',
      ...(clientSecret ? { clientSecret: secret(clientSecret) } : {}),
      headers: toHeaders(tokenExchange.headers),
    };
  }
  return { type: 'headers', headers: toHeaders(headers) };
}

/** Where a value comes from; references were checked when the commit was loaded. */
export function secretUse(
  { name, key }: { name: string; key: string },
  context: CompileContext,
): SecretUse | undefined {
  const resource = context.find('Secret', name);
  const from = resource && sourceOf(resource, key);
  return from ? { secret: name, key, from } : undefined;
}
