/** What a registry wants to know of who asks. */
import type { OpenSecret } from '../../../../schemas/upstream-auth.ts';
import type { Pull } from '../../../workload.ts';
import type { Reference } from './reference.ts';

/** As engines take it: https://docs.docker.com/reference/api/engine/version/v1.41/#section/Authentication */
interface RegistryAuth {
  readonly username: string;
  readonly password: string;
  readonly serveraddress: string;
}

/** Docker Hub goes by this name where credentials are concerned. */
const HUB_SERVER = 'https://index.docker.io/v1/';

/**
 * Opened for one request and kept nowhere; the engine does not keep them either.
 * @throws SlipwayError secret-unavailable
 */
export async function authFor(
  { registry }: Reference,
  credentials: Pull['credentials'],
  open: OpenSecret,
): Promise<RegistryAuth | undefined> {
  if (!credentials) return undefined;
  const [username, password] = [await open(credentials.username), await open(credentials.password)];
  return { username, password, serveraddress: registry === 'docker.io' ? HUB_SERVER : registry };
}
