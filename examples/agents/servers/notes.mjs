// A whole MCP server without dependencies: notes, kept in memory. Its tools say which of them change nothing.
import { createInterface } from 'node:readline';

const notes = new Map([['welcome', 'Three ways to find it.']]);

const tool = (name, description, properties, annotations = {}) => ({
  name,
  description,
  inputSchema: { type: 'object', properties, required: Object.keys(properties) },
  annotations,
});
const text = { type: 'string' };
const tools = [
  tool('list_notes', 'Lists the titles of all notes.', {}, { readOnlyHint: true }),
  tool('get_note', 'Reads a note.', { title: text }, { readOnlyHint: true }),
  tool('save_note', 'Writes a note, over one of the same title.', { title: text, text }, { idempotentHint: true }),
  tool('delete_note', 'Removes a note.', { title: text }, { destructiveHint: true }),
  tool('wipe', 'Removes all notes.', {}, { destructiveHint: true }),
];

const calls = {
  list_notes: () => [...notes.keys()].join('\n'),
  get_note: ({ title }) => notes.get(title) ?? 'There is no such note.',
  save_note: ({ title, text: content }) => (notes.set(title, content), 'Saved.'),
  delete_note: ({ title }) => (notes.delete(title) ? 'Removed.' : 'There is no such note.'),
  wipe: () => (notes.clear(), 'Removed all.'),
};

const methods = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion,
    capabilities: { tools: {}, resources: {} },
    serverInfo: { name: 'notes', version: '1.0.0' },
  }),
  ping: () => ({}),
  'resources/list': () => ({
    resources: [...notes.keys()].map((title) => ({ uri: `note://${encodeURIComponent(title)}`, name: title })),
  }),
  'resources/read': ({ uri = '' }) => {
    const found = notes.get(decodeURIComponent(uri.replace(/^note:\/\//, '')));
    if (found === undefined) throw { code: -32002, message: 'Resource not found', data: { uri } };
    return { contents: [{ uri, mimeType: 'text/plain', text: found }] };
  },
  'tools/list': () => ({ tools }),
  'tools/call': ({ name, arguments: args = {} }) => {
    const call = Object.hasOwn(calls, name) ? calls[name] : undefined;
    if (!call) throw { code: -32602, message: `Unknown tool: ${name}` };
    return { content: [{ type: 'text', text: call(args) }] };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params = {} } = JSON.parse(line);
  if (id === undefined) continue; // A notification wants no answer.
  const answer = { jsonrpc: '2.0', id };
  try {
    if (!methods[method]) throw { code: -32601, message: `Method not found: ${method}` };
    answer.result = methods[method](params);
  } catch (error) {
    answer.error = { code: error.code ?? -32603, message: error.message };
  }
  console.log(JSON.stringify(answer));
}
