import { DdpPage, QUIESCENCE_MS } from './apps/ddp-page.ts';
import { DdpServer, DdpStore } from './apps/ddp-server.ts';
import { spreadsOf, type Page } from './apps/page.ts';
import { PlainPage } from './apps/plain-page.ts';
import { PlainServer } from './apps/plain-server.ts';
import type { Plan, Step } from './plan.ts';
import { upWithinMs } from './world/watch.ts';
import { World, type Violation } from './world/world.ts';

export interface Outcome {
  readonly violation: Violation | undefined;
  /** What happened, line by line, if it was asked for. */
  readonly lines: readonly string[];
  /** Virtual time it took, ms. */
  readonly ms: number;
}

/** After everything is well and settled nothing may happen for so long. */
const QUIET_MS = 1_500;
/** `close()` waits 1 s for the peer's answer. */
const CLOSED_MS = 1_100;
const LOOK_MS = 250;

/** Plays one plan, from the first dial to what is left after the last `close()`. Must be called outside of microtasks. */
export function play(plan: Plan, tracing = false): Outcome {
  const store = new DdpStore();
  const world = new World(
    plan,
    (of, name) => (plan.protocol === 'ddp' ? new DdpServer(of, name, store) : new PlainServer(of, name)),
    tracing,
  );
  const pages: readonly Page[] = world.tabs.map((tab) =>
    plan.protocol === 'ddp' ? new DdpPage(tab, store) : new PlainPage(tab),
  );
  pages.forEach((page, i) => world.clock.at(i * 30, () => page.tab.deliver(() => page.start())));
  for (const step of plan.steps)
    world.clock.at(step.at + 100, () => {
      if (tracing) world.say('schedule', told(step));
      happen(step, world, pages, store);
    });
  world.run(plan.healAt + 100);
  heal(world);
  // Without a heartbeat only what is sent shows that nobody is there.
  if (plan.link.heartbeat === 'none')
    for (const page of pages)
      page.tab.deliver(() => page.work({ do: 'send', tab: page.tab.index, count: 1 }));
  settle(world, pages);
  // Where packets are late now and then, a link is suspected now and then.
  const { heartbeat, standby } = plan.link;
  if (plan.net.loss === 0 && plan.net.jitter < 0.2 && heartbeat !== 'passive' && !standby) {
    const dials = world.sockets;
    world.run(world.clock.now + QUIET_MS);
    if (world.sockets > dials) world.violated('quiet', 'somebody dials though all is well');
  }
  if (!world.violation) for (const page of pages) page.checkQuiet();
  for (const page of pages) page.tab.deliver(() => page.close());
  world.run(world.clock.now + CLOSED_MS + 2 * plan.net.rttMs);
  for (const page of pages) if (!world.violation) page.watch.left();
  return { violation: world.violation, lines: world.lines, ms: world.clock.now };
}

export const told = ({ at: _, do: what, ...rest }: Step): string =>
  [
    what,
    ...Object.entries(rest).map(
      ([key, value]) => `${key} ${typeof value === 'object' ? JSON.stringify(value) : value}`,
    ),
  ].join(' ');

function heal(world: World): void {
  if (world.tracing && !world.violation) world.say('schedule', 'all is well from here on');
  for (const node of world.nodes) node.heal();
  world.network.heal();
  for (const tab of world.tabs) {
    tab.setOnline(true);
    tab.show(true);
  }
}

const MOVES = new Set<Step['do']>(['drain', 'end', 'reconnect']);

/** Waits until nothing is waited for any more, for as long as that may take. */
function settle(world: World, pages: readonly Page[]): void {
  const { plan, clock } = world;
  const { policy } = pages[0]!;
  const thawed = Math.max(
    clock.now,
    ...plan.steps.map((step) => step.at + 100 + ('ms' in step ? step.ms : 0)),
  );
  const up = upWithinMs(policy, plan.browser.engine, plan.browser.tabs, spreadsOf(plan));
  const protocol = plan.protocol === 'ddp' ? QUIESCENCE_MS + 10_000 : 2_000;
  const due = thawed + up + protocol + 50 * plan.net.rttMs;
  const waiting = () => pages.map((page) => page.unsettled()).find((why) => why !== undefined);
  // A replacement for a node that drains may wait for the budget, or for its turn in the pace, while the link is up.
  const paced = plan.steps.some((step) => MOVES.has(step.do === 'within' ? step.what.do : step.do))
    ? Math.max(policy.capMs, 60_000 / policy.dialsPerMinute)
    : 0;
  let calm = 0;
  while (!world.violation) {
    const why = waiting();
    // Again and again, until all that was under way, a move after a drain too, must have happened.
    calm = why === undefined && clock.now >= thawed ? calm + LOOK_MS : 0;
    if (calm > 500 + 6 * plan.net.rttMs + spreadsOf(plan) + paced) return;
    if (clock.now > due)
      return world.violated('up', `${Math.round(clock.now - thawed)} ms after all is well: ${why}`);
    world.run(clock.now + LOOK_MS);
  }
}

function happen(step: Step, world: World, pages: readonly Page[], store: DdpStore): void {
  const node = 'node' in step ? world.nodes[step.node] : undefined;
  const page = 'tab' in step ? pages[step.tab] : undefined;
  const tab = page?.tab;
  switch (step.do) {
    case 'crash':
      node!.crash();
      break;
    case 'start':
      node!.mute = node!.off = false;
      node!.start();
      break;
    case 'hang':
      node!.hung = true;
      break;
    case 'resume':
      node!.resume();
      break;
    case 'vanish':
      node!.vanish();
      break;
    case 'appear':
      // Without a heartbeat a silent end is invisible: that is said in the documents, and no fault.
      node!.appear(step.forgets === 'nothing' ? undefined : plainly(world) ? 'resets' : step.forgets);
      break;
    case 'mute':
      if (!plainly(world)) node!.silence();
      break;
    case 'off':
      node!.off = true;
      node!.crash();
      break;
    case 'drain':
      node!.drain(step.afterMs, step.spreadMs);
      break;
    case 'end':
      node!.endAll(step.code);
      break;
    case 'gateway':
      node!.gateway = step.gateway;
      break;
    case 'slow':
      node!.slowMs = step.ms;
      break;
    case 'overload':
      node!.capacity = { perSecond: step.perSecond, queue: step.queue };
      break;
    case 'misjudge':
      world.network.misjudge(step.node, step.ms);
      break;
    case 'stall':
      for (const { connection } of tab!.sockets) connection?.stall(world.clock.now + step.ms, step.way);
      break;
    case 'roam':
      if (!plainly(world)) tab!.roam();
      break;
    case 'touch':
      tab!.page('active');
      break;
    case 'hideTab':
      tab!.show(false);
      break;
    case 'showTab':
      tab!.show(true);
      break;
    case 'offline':
      tab!.setOnline(false);
      break;
    case 'online':
      if (tab!.online) tab!.page('online');
      else tab!.setOnline(true);
      break;
    case 'freeze':
      tab!.freeze(step.ms, 'resume');
      break;
    case 'sleep':
      tab!.freeze(step.ms);
      break;
    case 'bfcache':
      tab!.leave(step.ms);
      break;
    case 'write':
      store.write(store.name(step.doc), step.what);
      break;
    case 'revoke':
      world.goodToken = 1_000 + world.clock.now;
      break;
    default:
      tab!.deliver(() => page!.work(step));
  }
  if (node) world.network.changed();
}

const plainly = ({ plan }: World): boolean => plan.link.heartbeat === 'none';
