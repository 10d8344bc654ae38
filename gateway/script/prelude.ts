/** What a script of an agent finds in its sandbox: QuickJS runs this text before the script. */
export const PRELUDE = String.raw`({ ask, say }) => {
  const { stringify, parse } = JSON;
  const { Error, Proxy, String } = globalThis;
  const request = async (question) => {
    const answer = await ask(stringify(question));
    return answer === '' ? undefined : parse(answer);
  };
  const named = (make) => (_, name) => (typeof name === 'string' && name !== 'then' && name !== 'toJSON' ? make(name) : undefined);
  const toolOf = (server) => (tool) => (args) => request({ op: 'call', server, tool, args });
  const serverOf = (name) =>
    new Proxy(() => {}, { get: named(toolOf(name)), apply: (_, self, [args]) => request({ op: 'call', name, args }) });
  const inWords = (value) => {
    if (typeof value === 'string') return value;
    if (value instanceof Error) return String(value);
    return stringify(value) ?? String(value);
  };
  const log = (...values) => say(values.map(inWords).join(' '));
  globalThis.tools = new Proxy({}, { get: named(serverOf) });
  globalThis.callTool = (name, args) => request({ op: 'call', name, args });
  globalThis.listTools = (query, limit) => request({ op: 'list', query, limit });
  globalThis.describeTool = (name) => request({ op: 'describe', name });
  globalThis.console = { log, info: log, warn: log, error: log, debug: log };
}`;
