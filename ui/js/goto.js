// Going to one thing by its name: its view comes up, its row opens, and its head gets the focus.

import { go } from './route.js';
import { changed, focusSoon, state } from './store.js';

/** Shows an account's row. */
export function showSession(account) {
  state.open.add(account);
  arrive('#sessions', `row-${account}`);
}

/** Shows a service's row. */
export function showService(service) {
  state.openServices.add(service);
  arrive('#services', `service-${service}`);
}

/** Shows a tool. */
export function showTool(tool) {
  arrive('#tools', `tool-${tool}`);
}

/** Shows a view. */
export function showView(tab) {
  arrive(`#${tab}`, `tab-${tab}`);
}

function arrive(hash, head) {
  go(hash);
  changed();
  focusSoon(head);
}
