/** Round trip and health check: fields that follow the cluster, except while a person changes them. */
import { $, post, setText } from './dom.js';

const NOTES = {
  gateway:
    'A node with a dead app still counts as healthy and gets new connections. Many real balancers are set up like this.',
  app: 'A node with a dead app gets no new connections after two failed checks, 5 to 10 s later.',
};

export function settings(form, problem) {
  const { rtt, health } = form.elements;
  /** Changes that the server has not confirmed. Until it has, the fields show what the person chose. */
  let unconfirmed = 0;
  let dragging = false;
  let last;

  async function change(path, body) {
    unconfirmed++;
    problem.hidden = true;
    try {
      await post(path, body);
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    } finally {
      unconfirmed--;
      if (last !== undefined) update(last);
    }
  }

  const showRtt = () => setText($('rtt-value'), `${rtt.value} ms`);

  function update(state) {
    last = state;
    if (unconfirmed > 0 || dragging) return;
    // `--rtt` allows more than the slider's usual range.
    rtt.max = String(Math.max(300, state.rttMs));
    rtt.value = String(state.rttMs);
    setText($('rtt-value'), `${state.rttMs} ms`);
    health.value = state.health;
    setText($('health-note'), NOTES[state.health] ?? '');
  }

  rtt.addEventListener('input', () => {
    dragging = true;
    showRtt();
  });
  // A drag that ends where it began fires no `change`.
  for (const end of ['change', 'pointerup', 'pointercancel', 'blur']) {
    rtt.addEventListener(end, () => (dragging = false));
  }
  rtt.addEventListener('change', () => {
    void change('/api/rtt', { ms: rtt.valueAsNumber });
  });
  for (const radio of health) {
    radio.addEventListener('change', () => {
      setText($('health-note'), NOTES[radio.value]);
      void change('/api/health', { asks: radio.value });
    });
  }
  form.addEventListener('submit', (event) => event.preventDefault());

  return { update };
}
