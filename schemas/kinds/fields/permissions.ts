/** Which tools may be called: rules that a server, a project, a role and the gateway can have. */
import { z } from 'zod';

/** Nobody sits at the gateway whom it could ask. */
const NO_ASK = 'There is nobody to ask at the gateway: use deny with a message, or allow.';

const action = z.enum(['allow', 'deny'], {
  error: ({ input }) => (input === 'ask' ? NO_ASK : undefined),
});

const toolPattern = z
  .string()
  .regex(/^[^\0\s]+$/, 'must be the name of a tool, in which * stands for anything and ? for one character')
  .max(128);

const serverPattern = z
  .string()
  .regex(/^[a-z0-9*?-]+$/, 'must be the name of a server, in which * stands for anything and ? for one character')
  .max(63);

const message = z.string().min(1).max(1024).optional().describe('What whoever is refused is told.');

const shape = {
  pattern: toolPattern.describe(
    'The tool, by its server’s own name for it; * stands for anything, ? for one character.',
  ),
  action: action.describe('Whether it may be called. The last rule that matches decides.'),
  message,
};

const anyServer = serverPattern.optional().describe('Only tools of these servers. Absent: of any.');

const block = <Rule extends z.ZodType>(rule: Rule) =>
  z.strictObject({
    rules: z.array(rule).max(512).default([]).describe('In order: of those that match, the last one decides.'),
    default: action.optional().describe('What counts where no rule anywhere matches.'),
    readOnly: z
      .boolean()
      .default(false)
      .describe(
        'Only tools whose server says that they change nothing (readOnlyHint), and those that a rule here allows.',
      ),
  });

/** For a Server: its own tools. */
export const serverPermissions = block(z.strictObject(shape)).optional();

/** For what spans servers. */
export const permissions = block(z.strictObject({ ...shape, server: anyServer })).optional();

/** Rules that nothing overrides. */
export const floor = z
  .array(z.strictObject({ ...shape, action: z.literal('deny').default('deny'), server: anyServer }))
  .max(512)
  .default([])
  .describe('Tools that nobody may call, whatever any other rule or role says.');

export type PermissionsSpec = NonNullable<z.output<typeof permissions>>;

type Path = readonly (string | number)[];

/** The places that a refusal cites. */
export function citedPermissions(spec: { readonly rules: readonly unknown[] } | undefined): Path[] {
  if (!spec) return [];
  return [['permissions'], ...spec.rules.map((_, index) => ['permissions', 'rules', index])];
}
