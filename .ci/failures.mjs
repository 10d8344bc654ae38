// What failed, from the test runner's JSON report: names with their messages, `--files`, or `--count`.
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

const report = JSON.parse(readFileSync(process.argv.at(-1), 'utf8'));
const files = report.testResults.filter(({ status }) => status === 'failed');
const failures = files.flatMap(({ name, assertionResults }) =>
  assertionResults
    .filter(({ status }) => status === 'failed')
    .map(({ fullName, failureMessages }) => ({ file: relative('', name), fullName, failureMessages })),
);

if (process.argv.includes('--files')) for (const { name } of files) console.log(relative('', name));
else if (process.argv.includes('--count')) console.log(failures.length);
else
  for (const { file, fullName, failureMessages } of failures)
    console.log(`FAILED ${file}: ${fullName}\n  ${failureMessages.join('\n').split('\n').slice(0, 12).join('\n  ')}`);
