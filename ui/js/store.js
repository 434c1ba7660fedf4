// What the window itself remembers: which row is open, what was asked and is not answered yet, what
// failed where. The sessions are in `view`, which only the program changes.

import { call } from './bridge.js';
import { t } from './words.js';

export const state = {
  view: null, // the newest snapshot
  broken: null, // why there is none
  route: { tab: 'sessions', sheet: null },
  open: new Set(), // rows, by account
  openServices: new Set(), // rows of services
  judged: new Map(), // service -> what a saved answer means to it
  search: null, // what is looked for, while the field is there
  shown: new Set(), // folds: "more" of a form, the details of a failure
  asking: null, // the place of the one inline question
  busy: new Set(), // places where a command runs
  failures: new Map(), // place -> { kind, code, message }
  copied: null, // the place whose copy button says so
  keys: new Map(), // tool -> { tool, key, urls }, until the person has put it away
  adding: null, // how far the add sheet has come
  connecting: null, // how far the connect sheet has come
  importing: null, // what other programs have, and what of it is ticked
  draft: '', // the address typed on the empty page
  typed: new Map(), // account -> what was typed of the scopes that it is asked for
  presets: null, // what services can answer as, once it was asked for
  choices: null, // what can be picked instead of an address, likewise
  activity: null, // newest first
  filter: { account: '', tool: '', kind: '' },
  sought: '', // what the activity is searched for
  notice: null, // a sentence said once
};

let redraw = () => {};
let due = false;

/** Sets what draws the page. */
export function onChange(draw) {
  redraw = draw;
}

/** Draws the page soon, and once for all that changes together. */
export function changed() {
  if (due) return;
  due = true;
  queueMicrotask(() => {
    due = false;
    redraw();
  });
}

/** Runs `work`; what fails is told at `place`, near the button that was pressed. */
export async function act(place, work) {
  if (state.busy.has(place)) return;
  state.busy.add(place);
  state.failures.delete(place);
  changed();
  try {
    await work();
  } catch (failure) {
    state.failures.set(
      place,
      failure.code === undefined ? { kind: 'failed', code: String(failure), message: '' } : failure,
    );
  } finally {
    state.busy.delete(place);
    changed();
  }
}

/** Asks at `place`; the answer's first button gets the focus. */
export function ask(place) {
  state.asking = place;
  changed();
  focusSoon(`ask-${place}`);
}

/** Takes the question back and gives the focus to what asked it. */
export function unask() {
  const place = state.asking;
  state.asking = null;
  changed();
  focusSoon(`for-${place}`);
}

/** Opens what is folded, or folds it. */
export function toggle(set, place) {
  if (!set.delete(place)) set.add(place);
  changed();
}

let lastCopy;
/** Copies, and says so for a moment. */
export async function copy(place, text) {
  await act(place, async () => {
    await call('copy', { text });
    state.copied = place;
    say(t('copied'));
    clearTimeout(lastCopy);
    lastCopy = setTimeout(() => {
      state.copied = null;
      changed();
    }, 1600);
  });
}

let lastNotice;
/** Shows a sentence at the foot of the window for a while. */
export function notify(text) {
  state.notice = text;
  say(text);
  clearTimeout(lastNotice);
  lastNotice = setTimeout(() => {
    state.notice = null;
    changed();
  }, 8000);
  changed();
}

let turn = false;
/** Tells screen readers. */
export function say(text) {
  // The same sentence twice in a row is only heard if the text differs.
  turn = !turn;
  document.getElementById('live').textContent = turn ? text : `${text}\u00a0`;
}

/** Focuses an element by its id once it is drawn. */
export function focusSoon(id) {
  queueMicrotask(() => queueMicrotask(() => document.getElementById(id)?.focus()));
}
