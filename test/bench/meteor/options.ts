/** What `npm run bench -- meteor` can be asked for. */
import { parseArgs } from 'node:util';
import { transports } from '../../support/meteor-client/page.ts';
import { flag, number, oneOf, optional, text } from '../../../tools/args.ts';
import { outageNames, policyNames } from '../options.ts';

export const help = `npm run bench -- meteor [options]

Measures the time until a Meteor app is served by the surviving node, with a real Meteor client in Chromium: as it is, and with
the library installed.

  --fault          One or several of stop,kill,hang,blackhole. Default: stop,hang,blackhole.
  --client         One or both of meteor,installed: as it is, or with installFailover. Default: both.
                   Rounds take turns, so that both see the same machine.
  --transport      One or both of sockjs,raw: Meteor's default, or what DISABLE_SOCKJS makes of it. Default: both.
  --victims        How many pages must lose their node, for each fault, client and transport. Default: 30.
  --pages          How many pages a round of installed has. Default: 3. On two cores, more pages measure the machine.
  --patient-pages  How many pages a round of meteor has. Default: 12. Its seconds do not feel the milliseconds of a busy machine.
  --limit          A page that is not served after this many ms counts as stuck. Default: 100000.
  --rtt            The round trip between pages and nodes in ms. Default: 40.
  --policy         The policy of the installed client: fast, balanced or frugal. Default: fast.
  --health         What the balancer's health check asks: gateway or app. Default: gateway, which leaves a dead app in.
  --json           The file that gets every figure as JSON.
  --help           Prints this text.`;

export const clientNames = ['meteor', 'installed'] as const;
export type MeteorClientName = (typeof clientNames)[number];

/** @throws UsageError, or what parseArgs throws for an unknown option */
export function parseOptions(args: readonly string[]) {
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
      json: optional,
      help: flag,
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
    policy: oneOf('policy', values.policy, policyNames),
    health: oneOf('health', values.health, ['gateway', 'app']),
    json: values.json,
    help: values.help,
  };
}
export type MeteorOptions = ReturnType<typeof parseOptions>;
