import { describe, expect, it } from 'vitest';
import { findMoved, mergeOrder, moveBefore, reorder } from '../../../src/ddp/order.ts';

const map = (keys: string) => new Map([...keys].map((key) => [key, key.toUpperCase()]));
const text = (keys: Iterable<string>) => [...keys].join('');

describe('the order of documents', () => {
  it.each<[string, string, string | null, string, boolean]>([
    ['to the front', 'd', 'a', 'dabc', true],
    ['forward', 'a', 'd', 'bcad', true],
    ['to the end', 'a', null, 'bcda', true],
    ['in front of one that is not there', 'b', 'x', 'acdb', true],
    ['where it is', 'b', 'c', 'abcd', false],
    ['in front of itself', 'b', 'b', 'abcd', false],
    ['to the end, where it is', 'd', null, 'abcd', false],
  ])('moves one %s', (_, key, before, expected, moved) => {
    const docs = map('abcd');
    expect(moveBefore(docs, key, before)).toBe(moved);
    expect(text(docs.keys())).toBe(expected);
    expect(docs.get(key)).toBe(key.toUpperCase());
  });

  it.each<[string, string, string, boolean]>([
    ['another order', 'abc', 'cab', true],
    ['the same order', 'abc', 'abc', false],
  ])('reorders: %s', (_, from, to, changed) => {
    const docs = map(from);
    expect(reorder(docs, [...to])).toBe(changed);
    expect(text(docs.keys())).toBe(to);
    expect(text(docs.values())).toBe(to.toUpperCase());
  });

  it.each<[string, string, string, string]>([
    ['nothing, in the same order', 'abc', 'abc', ''],
    ['nothing, if others came and went', 'abcd', 'xbyd', ''],
    ['one that went to the front', 'abcd', 'dabc', 'd'],
    ['those that changed sides', 'ab', 'ba', 'b'],
    ['all but one of a reversed list', 'abc', 'cba', 'cb'],
  ])('finds what moved: %s', (_, previous, next, moved) => {
    expect(text(findMoved([...previous], [...next]))).toBe(moved);
  });

  it('puts what the new connection has not mentioned behind the others', () => {
    expect(text(mergeOrder([...'abcd'], [...'dxb']))).toBe('dxbac');
  });
});
