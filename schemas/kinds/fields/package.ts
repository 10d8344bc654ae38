/** A published package as a server, and the words of a command line. */
import { z } from 'zod';
import { PEP440, plainText, SEMVER } from '../fields.ts';

export const argument = plainText.max(32_768);

export const packageSpec = z
  .strictObject({
    npm: z
      .string()
      .regex(/^(@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~][a-z0-9._~-]*$/, 'must be an npm package name')
      .optional()
      .describe('npm package with a bin.'),
    pypi: z
      .string()
      .regex(/^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/, 'must be a PyPI project name')
      .optional()
      .describe('PyPI project with a console script; as a process it needs uvx on the host.'),
    version: z.string().max(128).describe('One exact version; nothing floats.'),
    bin: z
      .string()
      .regex(/^[A-Za-z0-9_][A-Za-z0-9._-]*$/, 'must be the name of a program')
      .optional()
      .describe('Which of the package’s programs to run, if it has several.'),
    args: z.array(argument).default([]).describe('Arguments for the program.'),
  })
  .check((check) => {
    const { npm, pypi, version } = check.value;
    if ((npm === undefined) === (pypi === undefined)) {
      const message = 'must have either npm or pypi';
      check.issues.push({ code: 'custom', input: check.value, path: [], message, params: { conflict: true } });
    } else if (!(npm === undefined ? PEP440 : SEMVER).test(version)) {
      const message = 'must be one exact version such as 1.4.2: no ^, ~, ranges, * or tags';
      check.issues.push({ code: 'custom', input: version, path: ['version'], message });
    }
  })
  .meta({
    oneOf: [
      { required: ['npm'], properties: { version: { pattern: SEMVER.source } } },
      { required: ['pypi'], properties: { version: { pattern: PEP440.source } } },
    ],
  });
