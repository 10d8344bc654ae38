/** Some tools are not for agents: they are not shown, and not called. */
interface Tool {
  name: string;
  description?: string;
}

interface Context {
  config: { never: string[] };
  log(...words: unknown[]): void;
}

export async function onToolsList({ tools }: { tools: Tool[] }, { config }: Context) {
  return { tools: tools.filter(({ name }) => !config.never.some((own) => name.endsWith(`__${own}`))) };
}

export async function onToolCallBefore({ server, tool }: { server: string; tool: string }, { config, log }: Context) {
  if (!config.never.includes(tool)) return undefined;
  log('an agent wanted', tool);
  return { refuse: `${tool} is not for agents: ask whoever keeps ${server}.` };
}
