/** Whoever saves notes is told for whom, and how many it were in this session. */
interface Result {
  tool: string;
  result: { content: { type: string; text?: string }[] };
}

interface Context {
  config: { team: string };
  state: { notes?: number };
}

export async function onSessionCreate(_: { principal: string }, { state }: Context) {
  state.notes = 0;
}

export async function onInitialize({ instructions }: { instructions: string }, { config }: Context) {
  return { instructions: `${instructions}\n\nWhat is saved here is for ${config.team}.`.trim() };
}

export async function onToolCallAfter({ tool, result }: Result, { config, state }: Context) {
  if (tool !== 'save_note') return undefined;
  state.notes = (state.notes ?? 0) + 1;
  const text = `Note ${state.notes} of this session, for ${config.team}.`;
  return { result: { ...result, content: [...result.content, { type: 'text', text }] } };
}

export const tools = {
  async notes_saved(_: object, { config, state }: Context) {
    return `${state.notes ?? 0} for ${config.team}.`;
  },
};
