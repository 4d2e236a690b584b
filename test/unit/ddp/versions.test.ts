import { describe, expect, it } from 'vitest';
import { createVersions } from '../../../src/ddp/versions.ts';

const offered = (frame: string) => (JSON.parse(frame) as { version: string }).version;

describe('the version of DDP', () => {
  it('is the best one, until the server asks for another', () => {
    const versions = createVersions();
    expect(versions.isNegotiating).toBe(false);
    expect(JSON.parse(versions.offer())).toEqual({
      msg: 'connect',
      version: '1',
      support: ['1', 'pre2', 'pre1'],
    });
    expect(versions.isNegotiating).toBe(true);
    expect(versions.switchTo('pre1')).toBe(true);
    expect(offered(versions.offer())).toBe('pre1');
    versions.accepted();
    expect(versions.isNegotiating).toBe(false);
    expect(offered(versions.offer())).toBe('pre1');
  });

  it('is never one that we do not speak, or that the server has refused since the last success', () => {
    const versions = createVersions();
    versions.offer();
    expect(['2', '1'].map((version) => versions.switchTo(version))).toEqual([false, false]);
    expect(offered(versions.offer())).toBe('1');
    versions.accepted();
    expect(versions.switchTo('1')).toBe(true);
  });
});
