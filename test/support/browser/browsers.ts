/** Real browsers, one API. Nothing is downloaded: `find` looks for what the machine has. */
import puppeteer, { type Browser, type BrowserContext, type Page } from 'puppeteer-core';
import { find, parts, type Part } from '../../../tools/setup.ts';

export type BrowserName = 'chromium' | 'firefox';
export const browserNames: readonly BrowserName[] = parts.filter(
  (part): part is BrowserName & Part => part !== 'redis-server',
);

const chromiumFlags = [
  '--no-sandbox', // root has no sandbox
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // All windows are looked at, even behind another one.
  '--disable-renderer-backgrounding',
  '--disable-backgrounding-occluded-windows',
];

/** No word to anybody but the page's server. */
const firefoxPrefs = {
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'network.dns.disablePrefetch': true,
  'services.settings.server': 'data:,none',
};

/** A name that stands for this machine, in pages opened by `launch`: to them it is not a loopback address. */
export const networkHost = 'app.test';

export async function launch(
  name: BrowserName,
  {
    flags = [],
    throttled = false,
  }: {
    /** More of Chromium's. */
    flags?: readonly string[];
    /** Chromium holds back the timers of hidden pages, which puppeteer turns off. Firefox always does. @default false */
    throttled?: boolean;
  } = {},
): Promise<Browser> {
  const executablePath = await find(name);
  if (executablePath === undefined) throw new Error(`${name} is missing`);
  return puppeteer.launch(
    name === 'chromium'
      ? {
          browser: 'chrome',
          executablePath,
          headless: true,
          args: [...chromiumFlags, `--host-resolver-rules=MAP ${networkHost} 127.0.0.1`, ...flags],
          ignoreDefaultArgs: throttled ? ['--disable-background-timer-throttling'] : [],
        }
      : {
          browser: 'firefox',
          executablePath,
          headless: true,
          extraPrefsFirefox: {
            ...firefoxPrefs,
            'network.dns.localDomains': networkHost,
            'dom.securecontext.allowlist': networkHost,
          },
        },
  );
}

/**
 * A page in a context of its own, since Chromium's throttle and its sockets are shared within one, and in a window of its own,
 * since a tab behind another one is hidden: slow timers, no animation frames.
 */
export async function openPage(browser: Browser): Promise<{ page: Page; context: BrowserContext }> {
  const context = await browser.createBrowserContext();
  const page = await context.newPage({ type: 'window' });
  const visibility = await page.evaluate(() => document.visibilityState);
  if (visibility !== 'visible') throw new Error(`the new window is ${visibility}`);
  return { page, context };
}
