/** Paints the todos and the failed changes. Rows are reused by id, so that focus, selection and an open rename survive. */

/** Stroke paths in a box of 24 × 24. */
const ICONS = { remove: 'M6 6l12 12M18 6L6 18', rename: 'M4 20l1-4L16 5l3 3L8 19z' };

/**
 * @param places `list` and `errors` to fill, and `fallbackFocus`, which gets the focus when the last row is removed
 * @param model see todos.js
 */
export function todoList({ list, errors, fallbackFocus }, model) {
  const rows = new Map();
  const alerts = new Map();

  function row(id) {
    let todo;
    const toggle = element('input', { type: 'checkbox', testid: 'toggle' });
    const check = element('label', { className: 'check' }, toggle);
    const text = element('span', { className: 'text' });
    const rename = element('button', { type: 'button', className: 'icon', testid: 'rename' }, icon('rename'));
    const remove = element('button', { type: 'button', className: 'icon', testid: 'remove' }, icon('remove'));
    const item = element('li', { testid: 'todo' }, check, text, rename, remove);
    item.dataset.id = id;

    toggle.addEventListener('change', () => model.setDone(todo, toggle.checked));
    rename.addEventListener('click', () => edit());
    text.addEventListener('dblclick', () => edit());
    remove.addEventListener('click', () => {
      const next = item.nextElementSibling ?? item.previousElementSibling;
      (next?.querySelector('[data-testid=remove]') ?? fallbackFocus).focus();
      model.remove(todo);
    });

    function edit() {
      if (item.dataset.editing === 'true' || todo.failed !== undefined) return;
      const input = element('input', { type: 'text', className: 'edit', maxLength: 200, value: todo.text });
      input.setAttribute('aria-label', `New text for ${todo.text}`);
      let ended = false;
      const end = (keep) => {
        if (ended) return; // Removing a focused input fires `blur` again.
        ended = true;
        const value = input.value.trim();
        const focused = document.activeElement === input;
        input.replaceWith(text);
        item.dataset.editing = 'false';
        if (focused) rename.focus();
        if (keep && value !== '' && value !== todo.text) model.rename(todo, value);
      };
      input.addEventListener('keydown', (event) => {
        if (event.key === 'Enter' && !event.isComposing) end(true);
        if (event.key === 'Escape') end(false);
      });
      input.addEventListener('blur', () => end(true));
      item.dataset.editing = 'true';
      text.replaceWith(input);
      input.select();
    }

    return {
      item,
      update(next) {
        todo = next;
        text.textContent = todo.text;
        toggle.checked = todo.done;
        toggle.setAttribute('aria-label', `Done: ${todo.text}`);
        rename.setAttribute('aria-label', `Rename ${todo.text}`);
        remove.setAttribute('aria-label', `Remove ${todo.text}`);
        item.dataset.done = String(todo.done);
        item.dataset.pending = String(todo.pending);
        item.dataset.failed = String(todo.failed !== undefined);
        // The server does not know a failed todo: it can only be tried again or removed.
        toggle.disabled = rename.hidden = todo.failed !== undefined;
      },
    };
  }

  function alert(change) {
    const retry = element('button', { type: 'button', className: 'quiet', testid: 'retry' }, 'Try again');
    const dismiss = element('button', { type: 'button', className: 'quiet', testid: 'dismiss' }, 'Discard');
    retry.addEventListener('click', () => model.retry(change));
    dismiss.addEventListener('click', () => model.dismiss(change));
    const why = element('span', { className: 'why' });
    const item = element('li', { testid: 'error' }, why, retry, dismiss);
    return {
      item,
      update: () => (why.textContent = `${change.what}: ${change.error.reason ?? change.error.message}`),
    };
  }

  return {
    render(todos, failures) {
      sync(
        list,
        rows,
        todos.map((todo) => [todo.id, todo]),
        row,
      );
      sync(
        errors,
        alerts,
        failures.map((change) => [change, change]),
        alert,
      );
    },
  };
}

/** Shows one item per entry, in order. Items stay in place unless they have moved. */
function sync(parent, items, entries, create) {
  const wanted = new Set(entries.map(([key]) => key));
  for (const [key, { item }] of items) {
    if (wanted.has(key)) continue;
    item.remove();
    items.delete(key);
  }
  let place = parent.firstElementChild;
  for (const [key, value] of entries) {
    if (!items.has(key)) items.set(key, create(key));
    const { item, update } = items.get(key);
    update(value);
    if (item === place) place = place.nextElementSibling;
    else parent.insertBefore(item, place);
  }
}

function element(tag, { testid, ...properties }, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  if (testid !== undefined) node.dataset.testid = testid;
  node.append(...children);
  return node;
}

function icon(name) {
  const make = (tag, attributes) => {
    const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  const svg = make('svg', { viewBox: '0 0 24 24', 'aria-hidden': 'true' });
  svg.append(make('path', { d: ICONS[name] }));
  return svg;
}
