/** What `npm run bench:meteor` can be asked for. */
import { parseArgs } from 'node:util';
import { transports } from '../../support/meteor-client/page.ts';
import { number, oneOf } from '../../../tools/args.ts';
import { outageNames } from '../options.ts';

export const help = `npm run bench:meteor -- [options]

Time until a Meteor app is served by the surviving node: a real Meteor client in Chromium, as it is and with the library installed.
  --fault stop,kill,hang,blackhole   one or several, default stop,hang,blackhole
  --client meteor,installed          as it is, or with installFailover; default both. Rounds take turns, so that both see the same machine
  --transport sockjs,raw             Meteor's default, or what DISABLE_SOCKJS makes of it; default both
  --victims N                        per fault, client and transport, default 30
  --pages N                          installed: per round, default 3: on two cores more pages measure the machine
  --patient-pages N                  as it is: per round, default 12: its seconds do not feel the milliseconds of a busy machine
  --limit MS                         not served by then counts as stuck, default 100000
  --rtt MS                           default 40
  --policy fast|balanced|frugal      of the installed client, default fast
  --health gateway|app               what the balancer's health check asks, default gateway: a dead app stays in
  --json FILE                        everything, for later questions`;

export const clientNames = ['meteor', 'installed'] as const;
export type MeteorClientName = (typeof clientNames)[number];

/** @throws UsageError, or what parseArgs throws for an unknown flag */
export function parseOptions(args: readonly string[]) {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      fault: text('stop,hang,blackhole'),
      client: text(clientNames.join()),
      transport: text(transports.join()),
      victims: text('30'),
      pages: text('3'),
      'patient-pages': text('12'),
      limit: text('100000'),
      rtt: text('40'),
      policy: text('fast'),
      health: text('gateway'),
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const each = <T extends string>(flag: 'fault' | 'client' | 'transport', allowed: readonly T[]): T[] =>
    values[flag].split(',').map((name) => oneOf(flag, name, allowed));
  return {
    browser: 'chromium' as const,
    faults: each('fault', outageNames),
    clients: each('client', clientNames),
    transports: each('transport', transports),
    victims: number('victims', values.victims, 1),
    pages: number('pages', values.pages, 1),
    patientPages: number('patient-pages', values['patient-pages'], 1),
    limitMs: number('limit', values.limit, 1),
    rttMs: number('rtt', values.rtt, 0),
    policy: oneOf('policy', values.policy, ['fast', 'balanced', 'frugal']),
    health: oneOf('health', values.health, ['gateway', 'app']),
    json: values.json,
    help: values.help,
  };
}
export type MeteorOptions = ReturnType<typeof parseOptions>;
