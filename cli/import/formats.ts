/** THE list of what can be imported. A new format is a file beside this one and a row here; the first that fits is taken. */
import { parse as parseJson, type ParseError } from 'jsonc-parser';
import { parse as parseToml } from 'smol-toml';
import { parseAllDocuments } from 'yaml';
import { SlipwayError } from '../../schemas/errors.ts';
import { fromAddon, isAddon } from './addon.ts';
import { clientServers, fromClient } from './clients.ts';
import { fromCompose, isCompose } from './compose.ts';
import { objectOf, type Drafts } from './draft.ts';
import { fromLazyMcp, isLazyMcp } from './lazy-mcp.ts';
import { fromMcpctl, isMcpctl } from './mcpctl/index.ts';
import { fromTeam, isTeam } from './team.ts';

type Root = Record<string, unknown>;

export interface Format {
  readonly title: string;
  fits(root: Root): boolean;
  convert(root: Root, drafts: Drafts): void;
}

export const FORMATS: readonly Format[] = [
  { title: 'a lean-ctx addon', fits: isAddon, convert: fromAddon },
  { title: 'a lean-ctx team server', fits: isTeam, convert: fromTeam },
  { title: 'mcpctl', fits: isMcpctl, convert: fromMcpctl },
  { title: 'lazy-mcp', fits: isLazyMcp, convert: fromLazyMcp },
  { title: 'docker compose', fits: isCompose, convert: fromCompose },
  { title: 'an MCP client', fits: (root) => clientServers(root) !== undefined, convert: fromClient },
];

/** @throws SlipwayError `invalid-value` for what nobody can read */
export function readRoot(file: string, text: string): Root {
  if (/\.toml$/i.test(file)) return guarded(file, () => objectOf(parseToml(text)));
  if (/\.ya?ml$/i.test(file)) return guarded(file, () => readYaml(text));
  return guarded(file, () => {
    const errors: ParseError[] = [];
    const root: unknown = parseJson(text, errors, { allowTrailingComma: true });
    if (errors.length > 0) throw new SyntaxError(`at character ${errors[0]?.offset}`);
    return objectOf(root);
  });
}

/** Several documents are one, if each has keys of its own. */
function readYaml(text: string): Root {
  const roots = parseAllDocuments(text).map((document) => {
    if (document.errors[0]) throw document.errors[0];
    return objectOf(document.toJS({ maxAliasCount: 100 }));
  });
  return Object.assign({}, ...roots) as Root;
}

function guarded(file: string, read: () => Root): Root {
  try {
    return read();
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n', 1)[0] : String(error);
    throw new SlipwayError('invalid-value', `${file} cannot be read: ${why}`, {
      hint: 'JSON, YAML and TOML are known by the ending.',
    });
  }
}
