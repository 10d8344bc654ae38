import { FIXTURES, issuesOf, readCases, readExpected, expectedOf } from '../helpers/corpus.ts';
const e = await readExpected();
for (const d of ['invalid', 'valid']) for (const c of await readCases(FIXTURES + '/' + d)) {
  const got = issuesOf(c.files); const want = d === 'valid' ? [] : e[c.name];
  if (JSON.stringify(got.map(expectedOf)) !== JSON.stringify(want)) console.log(d, c.name, '\n   want', want?.map((i) => `${i.line}:${i.column} ${i.code} ${i.path}`).join(' | '), '\n   got ', got.map((i) => `${i.line}:${i.column} ${i.code} ${i.path} "${i.message}"`).join(' | '));
}
