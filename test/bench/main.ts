/** `npm run bench -- NAME`: the entry of all benchmarks. Without a name it lists them. */
import { benchmarks, list, unknownName } from './catalogue.ts';

const [name = '--help', ...args] = process.argv.slice(2);

if (name === '--help') console.log(list);
else if (Object.hasOwn(benchmarks, name)) await benchmarks[name]!.run(args);
else {
  console.error(unknownName(name));
  process.exitCode = 2;
}
