/** How far a server is shut in. What is not written is as tight as the driver can make it; each loosening is written down. */
import { z } from 'zod';
import { PORT, size } from '../fields.ts';

const HOST = '(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)';

const hostAndPort = z.string().regex(new RegExp(`^${HOST}:${PORT}$`), 'must be host:port, without wildcards');

const absolutePath = z
  .string()
  .regex(/^(?!.*(^|\/)\.\.?(\/|$))\/[^\0:,]*$/, 'must be an absolute path without . or .., colons and commas')
  .max(1024);

export const egress = z
  .union([
    z.enum(['none', 'all']),
    z.strictObject({ allow: z.array(hostAndPort).min(1).max(64).describe('Where it may connect to, as host:port.') }),
  ])
  .describe('What it may connect to: nothing, everything but this host, or a list. Default: none.');

const mount = z.strictObject({
  host: absolutePath.describe('Folder or file of the engine’s host.'),
  path: absolutePath.describe('Where the server sees it.'),
  readOnly: z.boolean().default(true),
});

export const isolation = z
  .strictObject({
    sandbox: z
      .enum(['off', 'auto', 'strict'])
      .optional()
      .describe(
        'For processes: run them in bubblewrap, with no network unless egress is all. auto: where that can be had; strict: or not at all. Default: off.',
      ),
    egress: egress.optional(),
    user: z
      .string()
      .regex(/^([0-9]{1,9}(:[0-9]{1,9})?|image)$/, 'must be a numeric uid, uid:gid, or image for the image’s own user')
      .optional()
      .describe('Who it runs as in its container. Default: 65534:65534 (nobody).'),
    readOnlyRoot: z.boolean().optional().describe('False lets it write to its root file system. Default: true.'),
    tmp: size.optional().describe('Size of /tmp, in memory. Default: 64Mi.'),
    writable: z.array(absolutePath).max(16).optional().describe('More paths it may write to, in memory.'),
    pids: z.int().min(8).max(32_768).optional().describe('How many processes and threads. Default: 128.'),
    capabilities: z
      .array(z.string().regex(/^[A-Z][A-Z_]{2,40}$/, 'must be a Linux capability without CAP_, such as NET_ADMIN'))
      .max(64)
      .optional()
      .describe('Linux capabilities to keep; needs a Policy. Default: none.'),
    devices: z.array(absolutePath).max(16).optional().describe('Devices of the host; needs a Policy.'),
    mounts: z.array(mount).max(32).optional().describe('Folders of the host; needs a Policy.'),
    privileged: z.boolean().optional().describe('All rights on the host; needs a Policy.'),
    hostNetwork: z.boolean().optional().describe('The host’s own network; needs a Policy.'),
    hostPid: z.boolean().optional().describe('Sees the processes of the host; needs a Policy.'),
  })
  .describe('How far it is shut in. What is not written is as tight as the driver can make it.');

export type IsolationSpec = z.output<typeof isolation>;
