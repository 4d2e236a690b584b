/** The publications that clients can subscribe to. */
import { listTodos, type Todo } from '../store/store.ts';
import type { ClientView } from './ddp-view.ts';
import { badParameter } from './method-error.ts';
import type { MethodContext } from './methods.ts';

/**
 * Adds its documents to the view and keeps them current.
 *
 * @returns a function that ends the publication
 * @throws MethodError to refuse the subscription
 */
type Publication = (
  sub: string,
  view: ClientView,
  context: Pick<MethodContext, 'store' | 'nodeId'>,
  params: readonly unknown[],
) => () => void;

const fieldsOf = ({ text, done, createdAt }: Todo): Record<string, unknown> => ({ text, done, createdAt });

export const publications: ReadonlyMap<string, Publication> = new Map<string, Publication>([
  [
    'todos',
    (sub, view, { store }) => {
      for (const [id, todo] of listTodos(store.todos)) view.added(sub, 'todos', id, fieldsOf(todo));
      return store.onChange(({ id, todo }) => {
        if (todo) view.added(sub, 'todos', id, fieldsOf(todo));
        else view.removed(sub, 'todos', id);
      });
    },
  ],
  [
    'numbers',
    (sub, view, _, [n]) => {
      if (typeof n !== 'number' || !Number.isInteger(n) || n < 0 || n > 10_000) {
        throw badParameter('n', 'an integer from 0 to 10000', n);
      }
      for (let i = 0; i < n; i++) view.added(sub, 'numbers', String(i), { n: i });
      return () => {};
    },
  ],
  [
    // The name of the node as a document: it changes with a failover and with nothing else.
    'node',
    (sub, view, { nodeId }) => {
      view.added(sub, 'nodes', 'mine', { name: nodeId });
      return () => {};
    },
  ],
]);
