/** How it is found out whether an instance is well. */
import { z } from 'zod';
import { plainText } from '../fields.ts';

const CHECKS = ['ping', 'tools', 'call', 'http', 'exec'] as const;

const some = z
  .string()
  .regex(/^(?=.*[1-9])[0-9]{1,9}(ms|s|m|h|d)$/, 'must be a duration above zero such as 500ms, 30s or 5m');

const call = z.strictObject({
  tool: z.string().min(1).max(128).describe('Name of the tool.'),
  arguments: z.record(z.string(), z.json()).default({}).describe('Arguments for the tool.'),
  expect: z
    .strictObject({
      text: z.string().min(1).max(4096).optional().describe('A piece of text that the result contains.'),
      structured: z
        .record(z.string(), z.json())
        .optional()
        .describe('What `structuredContent` holds, among other things.'),
    })
    .optional()
    .describe('What the result must say. Without it, anything but an error will do.'),
});

const http = z.strictObject({
  path: z
    .string()
    .regex(/^\/[^\s#]*$/, 'must be an absolute path')
    .max(2048)
    .describe('What is asked for with GET.'),
  port: z.int().min(1).max(65_535).optional().describe('Default: the port of its MCP endpoint.'),
  status: z
    .int()
    .min(100)
    .max(599)
    .optional()
    .describe('The status it must answer with. Default: any from 200 to 399.'),
});

const probe = z
  .strictObject({
    ping: z.strictObject({}).optional().describe('It answers MCP’s ping.'),
    tools: z.strictObject({}).optional().describe('It lists its tools.'),
    call: call.optional().describe('A tool answers without an error.'),
    http: http.optional().describe('It answers an HTTP request.'),
    exec: z
      .array(plainText.min(1).max(32_768))
      .min(1)
      .optional()
      .describe('A program, run beside it in its environment, ends with exit code 0. No shell is involved.'),
    interval: some.default('15s').describe('How often.'),
    timeout: some.default('5s').describe('How long the answer may take.'),
    failures: z.int().min(1).max(1000).default(3).describe('How many failures in a row count.'),
  })
  .check((check) => {
    const used = CHECKS.filter((name) => check.value[name] !== undefined);
    if (used.length === 1) return;
    const message = `must have one of ${CHECKS.join(', ')}`;
    check.issues.push({ code: 'custom', input: check.value, path: [], message, params: { conflict: true } });
  })
  .meta({ oneOf: CHECKS.map((name) => ({ required: [name] })) });

export const PROBES = ['startup', 'readiness', 'liveness'] as const;

export const probes = z
  .strictObject({
    startup: probe
      .optional()
      .describe('Must pass once before anything else counts; gives a slow start interval × failures more time.'),
    readiness: probe
      .optional()
      .describe('Must pass before a new version takes over; while it fails, calls go to the other instances.'),
    liveness: probe.optional().describe('When it fails, the instance is restarted.'),
  })
  .describe('What well means besides an MCP handshake and a listing of the tools. A sleeping server is not asked.');

export type ProbesSpec = z.output<typeof probes>;
export type ProbeSpec = z.output<typeof probe>;
