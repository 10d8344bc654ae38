// A stage of a pipeline: takes comments out of Markdown. It sees the text and `ctx`, and has nothing else: no network, no files.
export default async function withoutComments(input, { contentType }) {
  if (contentType !== 'markdown') return input;
  return input.replaceAll(/<!--[^]*?-->\n?/g, '');
}
