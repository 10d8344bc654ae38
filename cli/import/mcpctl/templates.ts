/** mcpctl's templates: what each use has to say becomes a parameter. */
import { PARAMETER } from '../../../schemas/kinds/template.ts';
import { looksSecret } from '../../../schemas/sensitive.ts';
import { objectOf, type Drafts } from '../draft.ts';
import { holdsSecret, secretShaped } from '../hide.ts';
import { programFields } from './servers.ts';

type Item = Record<string, unknown>;

const UNDERSTOOD = [
  'name',
  'version',
  'description',
  'packageName',
  'dockerImage',
  'externalUrl',
  'command',
  'transport',
  'containerPort',
  'replicas',
  'env',
];
/** The parameter that names the Secret of what is secret. */
const SECRET = 'secret';

export function addTemplates(items: readonly Item[], drafts: Drafts): void {
  for (const item of items) {
    const { version, description, replicas, env } = item;
    const wanted = String(item['name']);
    const labels = version === undefined ? undefined : { version: String(version) };
    const template = drafts.add('Template', wanted, {}, labels);
    const about = `Template/${template.metadata.name}`;
    const params: Item = {};
    const variables = Array.isArray(env) ? env.map((raw) => variableOf(objectOf(raw), params, about, drafts)) : [];
    const { description: _, ...program } = programFields(drafts, about, item);
    template.spec = {
      ...(typeof description === 'string' ? { description } : {}),
      ...(Object.keys(params).length > 0 ? { params } : {}),
      server: {
        ...withoutPlaceholders(program),
        ...(typeof replicas === 'number' && replicas > 1 ? { replicas } : {}),
        ...(variables.length > 0 ? { env: variables } : {}),
      },
    };
    for (const field of Object.keys(item))
      if (!UNDERSTOOD.includes(field)) drafts.lose(about, `${field} was left out: it means nothing here`);
  }
}

/** A value that is given stays; what each use gives is a parameter; what is secret comes from a Secret that each use names. */
function variableOf(item: Item, params: Item, about: string, drafts: Drafts): unknown {
  const { valueFrom, value, description, required } = item;
  const name = String(item['name']);
  const usual = item['defaultValue'] ?? item['default'];
  if (valueFrom !== undefined) return { name, valueFrom };
  if (looksSecret(name) || [value, usual].some(isSecret)) {
    params[SECRET] = { required: true, description: 'Name of the Secret that holds what is secret.' };
    drafts.note(about, `${name}: each use names the Secret that has it, by the parameter ${SECRET}`);
    return { name, valueFrom: { secretRef: { name: `\${${SECRET}}`, key: name } } };
  }
  if (value !== undefined || !PARAMETER.test(name)) return { name, value: literal(String(value ?? usual ?? '')) };
  const isRequired = required === true && usual === undefined;
  if (!isRequired && usual === undefined) drafts.note(about, `${name}: it is empty where nobody says what it is`);
  params[name] = {
    ...(typeof description === 'string' ? { description } : {}),
    ...(isRequired ? { required: true } : { default: String(usual ?? '') }),
  };
  return { name, value: `\${${name}}` };
}

const isSecret = (value: unknown): boolean =>
  value !== undefined && (secretShaped(String(value)) || holdsSecret(String(value)));

/** As it is written, and no parameter. */
const literal = (text: string): string => text.replaceAll('${', () => '$${');

function withoutPlaceholders<T>(value: T): T {
  return JSON.parse(JSON.stringify(value), (_key, one: unknown) => (typeof one === 'string' ? literal(one) : one)) as T;
}
