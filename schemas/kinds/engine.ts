import { z } from 'zod';
import { PORT } from './fields.ts';
import { imageReference } from './fields/image.ts';
import { defineKind } from './kind.ts';

const file = z.string().regex(/^(\/|~\/)[^\0]+$/, 'must be an absolute path or start with ~/');

export const engine = defineKind({
  kind: 'Engine',
  plural: 'engines',
  short: ['eng'],
  description:
    'A container engine (Docker or Podman) that servers can be placed on. One named default takes the place of the local one.',
  spec: z.strictObject({
    host: z
      .string()
      .regex(
        new RegExp(
          `^(unix:///[^\\s?#]+|tcp://[A-Za-z0-9.-]{1,253}:${PORT}|ssh://([a-z_][a-z0-9_-]*@)?[A-Za-z0-9.-]{1,253}(:${PORT})?)$`,
        ),
        'must be unix:///path, tcp://host:port or ssh://user@host',
      )
      .max(1024)
      .optional()
      .describe('Where its API is. Default: DOCKER_HOST, the current Docker context, or the standard socket.'),
    tls: z
      .strictObject({
        ca: file.optional().describe('Certificate authority that signed the engine’s certificate.'),
        cert: file.describe('Our certificate.'),
        key: file.describe('Its key.'),
      })
      .optional()
      .describe('Files on the host of Slipway, for tcp://.'),
    runners: z
      .strictObject({
        npm: imageReference
          .optional()
          .describe('Base image for npm packages: Node and npm. Default: node:24-slim of Docker Hub.'),
        pypi: imageReference
          .optional()
          .describe('Base image for PyPI packages: Python with venv and pip. Default: python:3.13-slim of Docker Hub.'),
      })
      .prefault({})
      .describe('Images on which packages are run in containers.'),
  }),
  references: () => [],
  example: `apiVersion: slipway/v1
kind: Engine
metadata: { name: build-host }
spec:
  host: ssh://slipway@build.example.com
`,
});
