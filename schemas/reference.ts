/** The reference of kinds and errors as Markdown, made from the same shapes that check the config. */
import { ERRORS, type ErrorRow } from './errors.ts';
import { documentSchema, type JsonSchema } from './json-schema.ts';
import { KINDS } from './kinds/index.ts';
import type { Kind } from './kinds/kind.ts';

export function reference(): string {
  const kinds = (Object.values(KINDS) as Kind[]).map(kindSection);
  return `# Reference

Made by \`npm run schemas\`; a test keeps it fresh. For editors, put
\`# yaml-language-server: $schema=<path>/slipway.json\` on top of a YAML file.

## Kinds

${kinds.join('\n')}
## Error codes

| code | meaning | what to do | exit | HTTP | tried again |
| --- | --- | --- | --- | --- | --- |
${Object.entries(ERRORS as Record<string, ErrorRow>)
  .map(errorRow)
  .join('\n')}
`;
}

function kindSection(kind: Kind): string {
  const spec = (documentSchema(kind)['properties'] as Record<string, JsonSchema>)['spec'] ?? {};
  const rows = fields(spec).map(({ path, type, text }) => `| \`${path}\` | ${type} | ${text} |`);
  const names = [kind.plural, ...kind.short].join(', ');
  return `### ${kind.kind}

${kind.description} (\`${names}\`)

| field of \`spec\` | type | meaning |
| --- | --- | --- |
${rows.join('\n')}

\`\`\`yaml
${kind.example}\`\`\`
`;
}

interface Field {
  readonly path: string;
  readonly type: string;
  readonly text: string;
}

function fields(schema: JsonSchema, prefix = ''): Field[] {
  const properties = (schema['properties'] ?? {}) as Record<string, JsonSchema>;
  return Object.entries(properties).flatMap(([name, property]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    const items = property['items'] as JsonSchema | undefined;
    return [
      { path, type: typeOf(property), text: describe(property) },
      ...fields(property, path),
      ...(items ? fields(items, `${path}[]`) : []),
    ];
  });
}

function typeOf(schema: JsonSchema): string {
  if (Array.isArray(schema['enum'])) return schema['enum'].map((value) => `\`${String(value)}\``).join(' or ');
  if (schema['type'] === 'array') return `list of ${typeOf((schema['items'] ?? {}) as JsonSchema)}`;
  return schema['type'] === 'object' ? 'map' : String(schema['type'] ?? 'any');
}

function describe(schema: JsonSchema): string {
  const { description = '', default: value } = schema as { description?: string; default?: unknown };
  const shown =
    value === undefined || JSON.stringify(value) === '{}' || JSON.stringify(value) === '[]'
      ? ''
      : ` Default: \`${JSON.stringify(value)}\`.`;
  return `${description}${shown}`.replaceAll('|', '\\|');
}

function errorRow([code, row]: [string, ErrorRow]): string {
  return `| \`${code}\` | ${row.meaning} | ${row.hint.replaceAll('|', '\\|')} | ${row.exit} | ${row.http} | ${row.next === 'retry' ? 'yes' : 'no'} |`;
}
