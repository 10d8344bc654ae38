/** The fixtures' resources and prompts. */
import type { GetPromptResult } from '@modelcontextprotocol/sdk/types.js';

/** One red pixel. */
export const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';

export const resources = [
  { uri: 'test://static-text', name: 'static-text', mimeType: 'text/plain', description: 'A text' },
  {
    uri: 'test://static-binary',
    name: 'static-binary',
    mimeType: 'image/png',
    icons: [{ src: `data:image/png;base64,${PNG}`, mimeType: 'image/png' }],
  },
  { uri: 'test://watched-resource', name: 'watched-resource', mimeType: 'text/plain', annotations: { priority: 0.5 } },
];

export const templates = [
  { uriTemplate: 'test://template/{id}/data', name: 'template', mimeType: 'application/json', title: 'By id' },
];

type Contents = { uri: string; mimeType: string } & ({ text: string } | { blob: string });

export function resourceOf(uri: string): Contents | undefined {
  const text = 'This is the content of the resource.';
  if (uri === 'test://static-binary') return { uri, mimeType: 'image/png', blob: PNG };
  if (uri === 'test://static-text' || uri === 'test://watched-resource') return { uri, mimeType: 'text/plain', text };
  const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1];
  if (id === undefined) return undefined;
  const data = { id, templateTest: true, data: `Data for ID: ${id}` };
  return { uri, mimeType: 'application/json', text: JSON.stringify(data) };
}

const argument = (name: string) => ({ name, description: `the ${name}`, required: true });

export const prompts = [
  { name: 'test_simple_prompt', description: 'A simple prompt', _meta: { 'example.com/kept': true } },
  { name: 'test_prompt_with_arguments', description: 'With two', arguments: [argument('arg1'), argument('arg2')] },
  { name: 'test_prompt_with_embedded_resource', description: 'With one', arguments: [argument('resourceUri')] },
  { name: 'test_prompt_with_image', description: 'With an image' },
];

type Message = GetPromptResult['messages'][number];
const say = (text: string): Message => ({ role: 'user', content: { type: 'text', text } });

export function promptOf(name: string, args: Readonly<Record<string, string>>): GetPromptResult | undefined {
  if (name === 'test_simple_prompt') return { messages: [say('This is a simple prompt for testing.')] };
  if (name === 'test_prompt_with_arguments')
    return { messages: [say(`Prompt with arguments: arg1='${args['arg1']}', arg2='${args['arg2']}'`)] };
  if (name === 'test_prompt_with_embedded_resource') {
    const text = 'Embedded resource content for testing.';
    const resource = { uri: String(args['resourceUri']), mimeType: 'text/plain', text };
    const embedded: Message = { role: 'user', content: { type: 'resource', resource } };
    return { messages: [embedded, say('Please process the embedded resource above.')] };
  }
  if (name === 'test_prompt_with_image') {
    const image: Message = { role: 'user', content: { type: 'image', data: PNG, mimeType: 'image/png' } };
    return { messages: [image, say('Please analyze the image above.')] };
  }
  return undefined;
}
