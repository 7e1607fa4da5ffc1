// Answers of Croner 11 and cron-parser 5: `npm install croner@11 cron-parser@5`, then `node ask_engines.mjs < node-engines.jsonl`.
// Each line in has an expression, a zone and a start; out comes the same line with the next three times in minutes from the start.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const installed = createRequire(`${process.cwd()}/`);
const { Cron } = installed('croner');
const { CronExpressionParser } = installed('cron-parser');
const minutes = (start, times) => times.map((time) => Math.round((time - start) / 60_000));

function askCroner(expression, zone, start) {
  return minutes(start, new Cron(expression, { timezone: zone, paused: true }).nextRuns(3, start));
}

function askCronParser(expression, zone, start) {
  try {
    const times = CronExpressionParser.parse(expression, { tz: zone, currentDate: start });
    return minutes(start, [1, 2, 3].map(() => times.next().toDate()));
  } catch {
    return null; // it does not know W, and `#` in a list
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { expression, zone, start } = JSON.parse(line);
  const croner = askCroner(expression, zone, new Date(start));
  const other = askCronParser(expression, zone, new Date(start));
  const differs = other !== null && JSON.stringify(other) !== JSON.stringify(croner);
  console.log(JSON.stringify({ expression, zone, start, croner, ...(differs && { 'cron-parser': other }) }));
}
