/** Registries of packages as npm and pip ask them, with packages made on the spot, where builds in containers reach them. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import type { Engine } from '../../reconciler/drivers/docker/engine.ts';
import { tempDir } from './temp.ts';

export interface PackageRegistry extends AsyncDisposable {
  /** For `npm_config_registry`. */
  readonly npm: string;
  /** For `PIP_INDEX_URL`; pip must be told to trust {@link PackageRegistry.host}. */
  readonly pypi: string;
  readonly host: string;
  /** What was asked for, as `GET /path`. */
  readonly asked: string[];
  /** @param files by path in the package; package.json gets name and version */
  addNpm(name: string, version: string, manifest: object, files: Readonly<Record<string, string>>): void;
  /** A wheel. @param scripts console scripts, as `module:function` */
  addPypi(
    name: string,
    version: string,
    scripts: Readonly<Record<string, string>>,
    files: Readonly<Record<string, string>>,
  ): void;
}

/** @param engine whose builds reach it; none: it is for this host */
export async function packageRegistry(engine?: Engine): Promise<PackageRegistry> {
  const host = engine ? await hostAddress(engine) : '127.0.0.1';
  const dir = tempDir();
  const content = new Map<string, Buffer>();
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '/');
    asked.push(`${request.method} ${path}`);
    const found = content.get(path);
    if (found) response.writeHead(200, { 'content-type': typeOf(path) }).end(found);
    else response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"Not found"}');
  });
  await once(server.listen(0, host), 'listening');
  const url = `http://${host}:${(server.address() as AddressInfo).port}`;
  return {
    npm: `${url}/npm/`,
    pypi: `${url}/pypi/simple/`,
    host,
    asked,
    addNpm(name, version, manifest, files) {
      const about = { name, version, ...manifest };
      const root = dir.at(`npm/${name}/${version}`);
      layOut(join(root, 'package'), { ...files, 'package.json': JSON.stringify(about) });
      execFileSync('tar', ['-czf', join(root, 'package.tgz'), '-C', root, 'package']);
      const tarball = readFileSync(join(root, 'package.tgz'));
      const path = `/npm/${name}/-/${version}.tgz`;
      const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
      const versions = { [version]: { ...about, dist: { tarball: `${url}${path}`, integrity } } };
      content.set(path, tarball);
      content.set(`/npm/${name}`, Buffer.from(JSON.stringify({ name, 'dist-tags': { latest: version }, versions })));
    },
    addPypi(name, version, scripts, files) {
      const root = dir.at(`pypi/${name}/${version}`);
      const entries = Object.entries(scripts).map(([script, target]) => `${script} = ${target}\n`);
      layOut(root, {
        ...files,
        [`${name}-${version}.dist-info/METADATA`]: `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n`,
        [`${name}-${version}.dist-info/WHEEL`]: 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
        [`${name}-${version}.dist-info/entry_points.txt`]: `[console_scripts]\n${entries.join('')}`,
        [`${name}-${version}.dist-info/RECORD`]: '',
      });
      const file = `${name}-${version}-py3-none-any.whl`;
      execFileSync('python3', ['-m', 'zipfile', '-c', `../${file}`, ...readdirSync(root)], { cwd: root });
      content.set(`/pypi/files/${file}`, readFileSync(join(root, '..', file)));
      // As pip spells names: https://peps.python.org/pep-0503/#normalized-names
      content.set(
        `/pypi/simple/${name.replaceAll(/[-_.]+/g, '-').toLowerCase()}/`,
        Buffer.from(`<html><a href="${url}/pypi/files/${file}">${file}</a></html>`),
      );
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      dir[Symbol.dispose]();
    },
  };
}

/** The address that this host has on the engine's default network, which builds run in. */
async function hostAddress({ docker }: Engine): Promise<string> {
  const { IPAM: ipam } = (await docker.getNetwork('bridge').inspect()) as {
    IPAM: { Config: { Subnet: string; Gateway?: string }[] };
  };
  const { Subnet: subnet = '', Gateway: gateway } = ipam.Config[0] ?? {};
  return gateway ?? subnet.replace(/\d+\/\d+$/, '1');
}

function typeOf(path: string): string {
  if (/\.(tgz|whl)$/.test(path)) return 'application/octet-stream';
  return path.startsWith('/pypi') ? 'text/html' : 'application/json';
}

function layOut(root: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text, { mode: 0o755 });
  }
}
