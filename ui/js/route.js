// Where the person is, read from the address: #sessions, #services and their like, and over them the sheets
// #add, #add-tool, #tool/<name>, #connect, #import.

import { changed, focusSoon, state } from './store.js';

/** The views, in their order. */
export const TABS = ['sessions', 'services', 'tools', 'activity', 'settings'];

const SHEETS = { add: 'sessions', 'add-tool': 'tools', tool: 'tools', connect: 'tools', import: 'sessions' };
let opener = '';

/** Reads the address. A closed sheet gives the focus back to what opened it. */
export function readRoute() {
  const [first, of] = location.hash.slice(1).split('/');
  const before = state.route;
  if (Object.hasOwn(SHEETS, first)) {
    if (!before.sheet) opener = document.activeElement?.id ?? '';
    state.route = { tab: SHEETS[first], sheet: first, of };
  } else {
    state.route = { tab: TABS.includes(first) ? first : 'sessions', sheet: null };
  }
  if (before.sheet && !state.route.sheet) leaveSheet();
  if (before.tab !== state.route.tab) {
    state.asking = null;
    window.scrollTo(0, 0);
  }
  changed();
}

/** Goes there at once: what follows may need the sheet gone, which keeps the focus to itself. */
export function go(hash) {
  location.hash = hash;
  readRoute();
}

function leaveSheet() {
  // The next sheet begins anew.
  // A key that was shown in there was shown once.
  if (state.adding?.added?.tool) state.keys.delete(state.adding.added.tool);
  state.adding = null;
  state.connecting = null;
  state.importing = null;
  state.busy.delete('add');
  for (const place of ['add', 'add-tool-form', 'works-tool', 'connect', 'import-look']) state.failures.delete(place);
  for (const fold of ['add-more', 'tool-more']) state.shown.delete(fold);
  if (opener) focusSoon(opener);
}
