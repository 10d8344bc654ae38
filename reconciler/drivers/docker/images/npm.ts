/** npm packages in containers. */
import { chooseBin } from '../../npm-package.ts';
import type { Recipe } from './recipe.ts';

/**
 * Scripts of packages never run, as in the process driver: what the build can reach, they could. The program gets one
 * fixed path, whatever its name in the package, so that the image needs no shell to start it.
 */
const DOCKERFILE = `ARG BASE
FROM \${BASE} AS packages
USER 0
ARG OWNER
ARG BUILD
LABEL slipway.managed=true slipway.owner=\${OWNER} slipway.build=\${BUILD}
WORKDIR /opt/slipway
COPY ca.pem /tmp/
COPY package.json program.json link.mjs ./
ARG npm_config_registry
ARG npm_config_strict_ssl
ARG npm_config_fetch_timeout
ARG NODE_EXTRA_CA_CERTS
RUN ["npm", "install", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--no-update-notifier", "--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--loglevel=error", "--cache=/tmp/npm"]
RUN ["node", "link.mjs"]

FROM \${BASE}
COPY --from=packages /opt/slipway /opt/slipway
ENV NODE_ENV=production
ENTRYPOINT ["/opt/slipway/program"]
`;

const LINK = `import { chmodSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const chooseBin = ${chooseBin.toString()};
const read = (path) => JSON.parse(readFileSync(path, 'utf8'));
const program = read('program.json');
const folder = join(import.meta.dirname, 'node_modules', program.name);
const { file, problem } = chooseBin(read(join(folder, 'package.json')), program);
if (problem) {
  console.error(problem);
  process.exit(1);
}
const path = join(folder, file);
const text = readFileSync(path, 'latin1');
// A script without a first line that says so is one for Node.
if (/\\.[cm]?js$/.test(path) && !text.startsWith('#!')) writeFileSync(path, '#!/usr/bin/env node\\n' + text, 'latin1');
chmodSync(path, 0o755);
symlinkSync(path, join(import.meta.dirname, 'program'));
`;

export const npmRecipe: Recipe = {
  base: 'docker.io/library/node:24-slim',
  dockerfile: DOCKERFILE,
  revision: 1,
  settings: ['npm_config_registry', 'npm_config_strict_ssl', 'npm_config_fetch_timeout'],
  authorities: 'NODE_EXTRA_CA_CERTS',
  files: ({ name, version, bin }) => ({
    'package.json': JSON.stringify({ private: true, dependencies: { [name]: version } }),
    'program.json': JSON.stringify({ name, version, bin }),
    'link.mjs': LINK,
  }),
};
