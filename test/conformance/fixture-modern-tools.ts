/** The fixture's tools in MCP 2026-07-28, where a tool that needs its client answers with what it needs. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  createRequestStateCodec,
  inputRequired,
  inputResponse,
  ProtocolError,
  type CallToolResult,
  type InputRequests,
  type InputRequiredResult,
  type ServerContext,
  type Tool,
} from '@modelcontextprotocol/server';
import {
  DEFAULTS,
  EMAIL,
  ENUMS,
  fixedContent,
  text,
  toolNamed,
  type Arguments,
  type Changes,
} from './fixture-shared.ts';

/** State that has been changed on its way is refused before a tool sees it. */
export const states = createRequestStateCodec<{ round: number; name?: string }>({ key: randomBytes(32) });

type Result = CallToolResult | InputRequiredResult;
type Run = (args: Arguments, context: ServerContext, changes: Changes) => Result | Promise<Result>;
/** A question's form, as far as the SDK's types can know it. */
type Form = Parameters<typeof inputRequired.elicit>[0]['requestedSchema'];

const said = (...parts: string[]): CallToolResult => ({ content: parts.map((part) => text(part)) });
const form = (message: string, requestedSchema: object) =>
  inputRequired.elicit({ message, requestedSchema: requestedSchema as Form });
const field = (name: string, type: string) => ({ type: 'object', properties: { [name]: { type } }, required: [name] });
const sampling = (prompt: string, maxTokens = 100) =>
  inputRequired.createMessage({ messages: [{ role: 'user', content: { type: 'text', text: prompt } }], maxTokens });

/** Asks once, then tells what came back. */
function asking(questions: (args: Arguments) => InputRequests, tell: (context: ServerContext) => CallToolResult): Run {
  return (args, context) => {
    const inputRequests = questions(args);
    const given = Object.keys(inputRequests).every((key) => isAnswer(context.mcpReq.inputResponses?.[key]));
    return given ? tell(context) : inputRequired({ inputRequests });
  };
}

const isAnswer = (value: unknown): boolean => typeof value === 'object' && value !== null;

function elicited(message: (args: Arguments) => string, schema: object): Run {
  return asking(
    (args) => ({ form: form(message(args), schema) }),
    ({ mcpReq }) => {
      const answer = mcpReq.inputResponses?.['form'] as { action: string; content?: unknown } | undefined;
      return said(`Elicitation completed: action=${answer?.action}, content=${JSON.stringify(answer?.content ?? {})}`);
    },
  );
}

function sampled(key: string, prompt: (args: Arguments) => string): Run {
  return asking(
    (args) => ({ [key]: sampling(prompt(args)) }),
    ({ mcpReq }) => {
      const answer = mcpReq.inputResponses?.[key] as { content?: { text?: string } } | undefined;
      return said(`LLM response: ${answer?.content?.text ?? ''}`);
    },
  );
}

async function progress({ mcpReq }: ServerContext): Promise<CallToolResult> {
  const progressToken = mcpReq._meta?.progressToken;
  for (const done of [0, 50, 100]) {
    if (done > 0) await sleep(20);
    if (progressToken !== undefined)
      await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress: done, total: 100 } });
  }
  return said('Done');
}

async function log({ mcpReq }: ServerContext): Promise<CallToolResult> {
  for (const data of ['Tool execution started', 'Tool processing data', 'Tool execution completed'])
    await mcpReq.log('info', data);
  return said('Logged');
}

/** Says that it has begun, and then nothing more. */
async function hang({ mcpReq }: ServerContext, changes: Changes): Promise<CallToolResult> {
  const cancelled = new Promise((resolve) => mcpReq.signal.addEventListener('abort', resolve, { once: true }));
  const progressToken = mcpReq._meta?.progressToken;
  if (progressToken !== undefined)
    await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress: 0 } });
  await cancelled;
  changes.cancelled();
  return said('cancelled');
}

/** Two questions, one after the other; what is known so far travels with the state. */
async function rounds({ mcpReq }: ServerContext): Promise<Result> {
  const state = mcpReq.requestState<{ round: number; name?: string }>();
  if (!state) {
    const requestState = await states.mint({ round: 1 });
    return inputRequired({
      inputRequests: { step1: form('Step 1: your name?', field('name', 'string')) },
      requestState,
    });
  }
  if (state.round === 1) {
    const name = String(acceptedContent(mcpReq.inputResponses, 'step1')?.['name']);
    const requestState = await states.mint({ round: 2, name });
    return inputRequired({
      inputRequests: { step2: form('Step 2: your colour?', field('color', 'string')) },
      requestState,
    });
  }
  return said(`${state.name} likes ${String(acceptedContent(mcpReq.inputResponses, 'step2')?.['color'])}`);
}

async function confirmed({ mcpReq }: ServerContext): Promise<Result> {
  if (mcpReq.requestState() && acceptedContent(mcpReq.inputResponses, 'confirm')) return said('state-ok');
  const requestState = await states.mint({ round: 1 });
  return inputRequired({ inputRequests: { confirm: form('Please confirm', field('ok', 'boolean')) }, requestState });
}

async function several({ mcpReq }: ServerContext): Promise<Result> {
  const inputRequests = {
    user_name: form('What is your name?', field('name', 'string')),
    greeting: sampling('Generate a greeting', 50),
    client_roots: inputRequired.listRoots(),
  };
  const all = Object.keys(inputRequests).every((key) => isAnswer(mcpReq.inputResponses?.[key]));
  return all ? said('all of it') : inputRequired({ inputRequests, requestState: await states.mint({ round: 1 }) });
}

/** Asks only what the client said it can be asked. */
function cautious({ mcpReq }: ServerContext): Result {
  const declared = ((mcpReq.envelope as Arguments | undefined)?.[CLIENT_CAPABILITIES_META_KEY] ?? {}) as Arguments;
  const inputRequests: InputRequests = {
    ...(declared['sampling'] ? { question: sampling('What is the capital of France?') } : {}),
    ...(declared['elicitation'] ? { user_name: form('What is your name?', field('name', 'string')) } : {}),
  };
  const done = Object.keys(inputRequests).length === 0 || mcpReq.inputResponses !== undefined;
  return done ? said('nothing to ask') : inputRequired({ inputRequests });
}

const roots: Run = asking(
  () => ({ client_roots: inputRequired.listRoots() }),
  ({ mcpReq }) =>
    said(
      `Roots: ${JSON.stringify((mcpReq.inputResponses?.['client_roots'] as { roots?: unknown } | undefined)?.roots)}`,
    ),
);

const named: Run = (_args, { mcpReq }) => {
  const response = inputResponse(mcpReq.inputResponses, 'user_name');
  const content = acceptedContent(mcpReq.inputResponses, 'user_name');
  if (content) return said(`Hello, ${String(content['name'])}!`);
  if (response.kind === 'elicit') return said('Hello, whoever you are!');
  return inputRequired({ inputRequests: { user_name: form('What is your name?', field('name', 'string')) } });
};

const RUNS: Readonly<Record<string, Run>> = {
  test_tool_with_logging: (_, context) => log(context),
  test_logging_tool: (_, context) => log(context),
  test_tool_with_progress: (_, context) => progress(context),
  test_error_handling: () => ({ ...said('This tool intentionally returns an error for testing'), isError: true }),
  test_sampling: sampled('answer', ({ prompt }) => String(prompt)),
  test_elicitation: elicited(({ message }) => String(message), EMAIL),
  test_elicitation_sep1034_defaults: elicited(() => 'Please check the defaults', DEFAULTS),
  test_elicitation_sep1330_enums: elicited(() => 'Please choose', ENUMS),
  test_roots: roots,
  test_x_mcp_header: ({ region }) => said(`region=${String(region)}`),
  test_missing_capability: sampled('answer', () => 'Say pong'),
  test_streaming_elicitation: (_, context) => progress(context),
  test_hang: (_, context, changes) => hang(context, changes),
  test_trigger_tool_change: (_args, _context, changes) => (changes.tools(), said('changed')),
  test_trigger_prompt_change: (_args, _context, changes) => (changes.prompts(), said('changed')),
  test_touch_resource: (_args, _context, changes) => (changes.resource(), said('touched')),
  test_input_required_result_elicitation: named,
  test_input_required_result_sampling: sampled('capital_question', () => 'What is the capital of France?'),
  test_input_required_result_list_roots: roots,
  test_input_required_result_request_state: (_, context) => confirmed(context),
  test_input_required_result_tampered_state: (_, context) => confirmed(context),
  test_input_required_result_multiple_inputs: (_, context) => several(context),
  test_input_required_result_multi_round: (_, context) => rounds(context),
  test_input_required_result_capabilities: (_, context) => cautious(context),
};

export function modernTools(): Tool[] {
  return [...Object.keys(fixedContent), ...Object.keys(RUNS)].map((name) => toolNamed(name) as Tool);
}

export async function callModernTool(
  { name, arguments: args = {}, _meta }: { name: string; arguments?: Arguments | undefined; _meta?: object },
  context: ServerContext,
  changes: Changes,
): Promise<Result> {
  const fixed = fixedContent[name];
  if (fixed) return fixed({ args, _meta }) as CallToolResult;
  const run = RUNS[name];
  if (!run) throw new ProtocolError(-32_602, `Unknown tool: ${name}`);
  return run(args, context, changes);
}
