/** Fields of a server that runs from a container image. */
import { z } from 'zod';
import { name } from '../fields.ts';

/**
 * `[registry[:port]/]path[:tag][@sha256:digest]`, after the grammar of https://github.com/distribution/reference.
 */
const IMAGE =
  /^([a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?\/)?[a-z0-9]+([._-]+[a-z0-9]+)*(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[a-f0-9]{64})?$/;

export const imageReference = z
  .string()
  .regex(IMAGE, 'must be an image reference such as ghcr.io/acme/tool:1.2@sha256:…')
  .max(512);

export const pull = z
  .strictObject({
    policy: z
      .enum(['always', 'ifNotPresent', 'never'])
      .default('ifNotPresent')
      .describe('always looks for a newer image under the same tag before each new instance.'),
    credentials: name.optional().describe('Secret with username and password for the registry.'),
  })
  .describe('How the image is fetched.');
