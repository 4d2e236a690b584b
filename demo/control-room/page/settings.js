/** Round trip and health check: form fields that follow the cluster, except while a person is changing them. */
import { $, post, setText } from './dom.js';

const NOTES = {
  gateway:
    'As often found: a node whose app is dead still counts as healthy and keeps getting new connections.',
  app: 'A node whose app does not answer gets no new connections after two failed checks (5 to 10 s).',
};

export function settings(form, problem) {
  const { rtt, health } = form.elements;
  /** Changes on their way to the server: until they are there the fields are the person's. */
  let underWay = 0;
  let dragging = false;
  let last;

  async function change(path, body) {
    underWay++;
    problem.hidden = true;
    try {
      await post(path, body);
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    } finally {
      underWay--;
      if (last !== undefined) update(last);
    }
  }

  const showRtt = () => setText($('rtt-value'), `${rtt.value} ms`);

  function update(state) {
    last = state;
    if (underWay > 0 || dragging) return;
    // The cluster can be started with more than the slider offers.
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
  // A drag back to where it began ends without `change`.
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
