import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { stringify } from 'yaml';
import { SlipwayError } from '../../schemas/errors.ts';
import { duration, milliseconds, name as nameSchema } from '../../schemas/kinds/fields.ts';
import { API_VERSION } from '../../schemas/resource.ts';
import { text, type Command, type Options } from '../command.ts';

export const command: Command = {
  summary: 'make an access token: prints it once and writes the YAML with its hash',
  usage: '<create> <name>',
  options: [
    { flags: '--projects <names>', description: 'comma-separated projects it may use (default: everything)' },
    { flags: '--expires <duration>', description: 'how long it is valid, e.g. 90d (default: for ever)' },
    { flags: '--file <file>', description: 'where to write the YAML (default: tokens/<name>.yaml)' },
  ],
  examples: ['slipway token create ci --projects dev --expires 90d'],

  async run({ args: [action, name = ''], options, io }) {
    if (action !== 'create')
      throw new SlipwayError('usage', `There is no \`token ${action}\`; there is \`token create\`.`);
    if (!nameSchema.safeParse(name).success) throw new SlipwayError('usage', `${name} is no name: use a–z, 0–9 and -.`);
    const path = resolve(io.cwd, text(options, 'file') ?? `tokens/${name}.yaml`);
    if (existsSync(path)) throw new SlipwayError('exists', `${path} exists already.`);
    const token = `slw_${randomBytes(32).toString('base64url')}`;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, stringify(document(name, token, options)), { flag: 'wx' });
    io.out(token);
    io.err(`Wrote ${path} with the token's hash. Commit and push it; the token itself is shown only now.`);
    return 0;
  },
};

function document(name: string, token: string, options: Options): Record<string, unknown> {
  const projects = text(options, 'projects')
    ?.split(',')
    .map((project) => project.trim())
    .filter(Boolean);
  const expires = text(options, 'expires');
  if (expires !== undefined && !duration.safeParse(expires).success)
    throw new SlipwayError('usage', `--expires ${expires} is no duration such as 90d.`);
  const expiresAt = expires === undefined ? undefined : new Date(Date.now() + milliseconds(expires)).toISOString();
  const sha256 = createHash('sha256').update(token).digest('hex');
  return {
    apiVersion: API_VERSION,
    kind: 'Token',
    metadata: { name },
    spec: { sha256, ...(projects ? { projects } : {}), ...(expiresAt === undefined ? {} : { expiresAt }) },
  };
}
