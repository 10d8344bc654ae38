/** Which engine is meant, as the docker command line would find it. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { SlipwayError } from '../../../schemas/errors.ts';
import type { EngineSpec } from '../../workload.ts';

/** Where an engine's API is. Paths are of this host. */
export interface EngineAddress {
  /** `unix:///…`, `tcp://host:port` or `ssh://user@host`. */
  readonly host: string;
  readonly tls?: { readonly ca?: string; readonly cert: string; readonly key: string };
}

const STANDARD = 'unix:///var/run/docker.sock';

/**
 * The Engine resource's address, else DOCKER_HOST, else the current Docker context, else the standard socket.
 * @throws SlipwayError engine-unreachable when the Docker context that is asked for does not exist
 */
export function engineAddress(spec: EngineSpec | undefined, env: NodeJS.ProcessEnv = process.env): EngineAddress {
  if (spec?.host !== undefined) return { host: spec.host, ...(spec.tls ? { tls: absolute(spec.tls) } : {}) };
  const { DOCKER_HOST: host, DOCKER_CERT_PATH: certs, DOCKER_TLS_VERIFY: verify } = env;
  if (host)
    return {
      host: host.includes('://') ? host : `tcp://${host}`,
      ...(verify ? { tls: pems(certs ?? join(homedir(), '.docker')) } : {}),
    };
  return contextAddress(env) ?? { host: standardSocket() };
}

/** Docker contexts: https://docs.docker.com/engine/manage-resources/contexts/; the folder is the SHA-256 of the name. */
function contextAddress(env: NodeJS.ProcessEnv): EngineAddress | undefined {
  const folder = env['DOCKER_CONFIG'] ?? join(homedir(), '.docker');
  const name = env['DOCKER_CONTEXT'] ?? currentContext(join(folder, 'config.json'));
  if (name === undefined || name === '' || name === 'default') return undefined;
  const id = createHash('sha256').update(name).digest('hex');
  try {
    const meta = JSON.parse(readFileSync(join(folder, 'contexts/meta', id, 'meta.json'), 'utf8')) as {
      Endpoints?: { docker?: { Host?: string } };
    };
    const host = meta.Endpoints?.docker?.Host;
    const tls = join(folder, 'contexts/tls', id, 'docker');
    if (host) return { host, ...(existsSync(join(tls, 'cert.pem')) ? { tls: pems(tls) } : {}) };
  } catch {
    // Said below: a context that cannot be read is one that does not exist.
  }
  throw new SlipwayError('engine-unreachable', `There is no Docker context named ${name}.`);
}

function currentContext(config: string): string | undefined {
  try {
    return (JSON.parse(readFileSync(config, 'utf8')) as { currentContext?: string }).currentContext;
  } catch {
    return undefined; // No Docker command line was ever used here.
  }
}

/** Docker Desktop keeps its socket in the home directory. */
function standardSocket(): string {
  const own = join(homedir(), '.docker/run/docker.sock');
  return existsSync(own) ? `unix://${own}` : STANDARD;
}

const pems = (folder: string) => ({
  ca: join(folder, 'ca.pem'),
  cert: join(folder, 'cert.pem'),
  key: join(folder, 'key.pem'),
});

function absolute(tls: NonNullable<EngineSpec['tls']>): NonNullable<EngineAddress['tls']> {
  const home = (path: string): string => (path.startsWith('~/') ? join(homedir(), path.slice(2)) : path);
  return { ...(tls.ca === undefined ? {} : { ca: home(tls.ca) }), cert: home(tls.cert), key: home(tls.key) };
}
