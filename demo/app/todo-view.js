/** The todo list on the page: the form above it, the filters below it, and the rows between them. */
import { todoList } from './list.js';
import { todoModel } from './todos.js';

const $ = (id) => document.getElementById(id);

/**
 * @param ddp a DDPClient
 * @param on `seen(event, document)` for each event of the collection, `fatal(message)` when the todos cannot be loaded
 */
export function showTodos(ddp, on) {
  const filters = [...document.querySelectorAll('[data-filter]')];
  const names = filters.map((button) => button.dataset.filter);
  const fromHash = () => (names.includes(location.hash.slice(1)) ? location.hash.slice(1) : 'all');
  let filter = fromHash();
  let loaded = false;

  const model = todoModel(ddp, { changed: render, seen: on.seen });
  const list = todoList({ list: $('todos'), errors: $('errors'), fallbackFocus: $('new-todo') }, model);

  ddp.subscribe('todos').ready.then(
    () => {
      loaded = true;
      render();
    },
    (error) => on.fatal(`The todos could not be loaded: ${error.message}`),
  );

  function render() {
    const todos = model.todos();
    const active = todos.filter((todo) => !todo.done);
    const shown = filter === 'all' ? todos : filter === 'active' ? active : todos.filter((todo) => todo.done);
    list.render(shown, model.failures());
    $('count').textContent = loaded || todos.length > 0 ? `${active.length} left` : '';
    $('clear-done').hidden = active.length === todos.length;
    $('empty').hidden = shown.length > 0;
    $('empty').dataset.loading = String(!loaded);
    $('empty').textContent = emptyText(loaded, todos.length, filter);
    for (const button of filters)
      button.setAttribute('aria-pressed', String(button.dataset.filter === filter));
  }

  $('add').addEventListener('submit', (event) => {
    event.preventDefault();
    const text = $('new-todo').value.trim();
    $('new-todo').value = '';
    if (text !== '') model.add(text);
  });
  $('clear-done').addEventListener('click', () => {
    model.clearDone();
    $('new-todo').focus();
  });
  for (const button of filters) {
    // The filter is in the address, so that a reload or a shared link shows the same.
    button.addEventListener('click', () => (location.hash = button.dataset.filter));
  }
  window.addEventListener('hashchange', () => {
    filter = fromHash();
    render();
  });
  render();
}

function emptyText(loaded, total, filter) {
  if (!loaded) return 'Loading todos…';
  if (total === 0) return 'Nothing to do yet. Add the first todo above.';
  return filter === 'active' ? 'All done.' : 'Nothing is done yet.';
}
