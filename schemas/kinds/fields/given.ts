/** What a program is given: its environment, and files. */
import { z } from 'zod';
import { envName, plainText, secretRef } from '../fields.ts';

export const environmentVariable = z
  .strictObject({
    name: envName,
    value: plainText.max(131_072).optional().describe('The value itself. Not for secrets: they belong into a Secret.'),
    valueFrom: secretRef.optional(),
  })
  .check((check) => {
    if ((check.value.value === undefined) === (check.value.valueFrom === undefined))
      check.issues.push({
        code: 'custom',
        input: check.value,
        path: [],
        message: 'must have either value or valueFrom',
        params: { conflict: true },
      });
  })
  .meta({ oneOf: [{ required: ['value'] }, { required: ['valueFrom'] }] });

export const secretFiles = z
  .array(
    z.strictObject({
      name: z
        .string()
        .regex(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/, 'must be a file name')
        .describe('Name of the file.'),
      valueFrom: secretRef,
    }),
  )
  .max(64)
  .default([]);

/** A file of the config repo, relative to the config path. */
export const configFile = z
  .string()
  .regex(/^(?!.*(^|\/)\.\.?(\/|$))[^/\0\\][^\0\\]*$/, 'must be a path inside the config path, without . or ..')
  .max(1024);

export const configFiles = z.array(configFile).default([]);
