// The third step of adding: the person is at the provider's page, in the browser or on another device.

import { devicePanel } from './device.js';
import { h, name } from './dom.js';
import { glyph } from './glyphs.js';
import { failure } from './parts.js';
import { state } from './store.js';
import { pieces, t } from './words.js';

/** Draws it. */
export function signInStep(view, adding) {
  const account = view.accounts.find((one) => one.account === adding.added.account);
  const title = account?.short_title ?? adding.added.account;
  const server = adding.found.server;
  if (!state.busy.has('add'))
    return [
      failure('add', { host: server }),
      adding.cancelled && h('p', { key: 'cancelled' }, pieces('signin.cancelled', { name: name(title) })),
      !adding.cancelled &&
        !state.failures.has('add') &&
        h('p', { key: 'unsigned' }, pieces('added.unsigned', { name: name(title) })),
    ];
  if (account?.device) return devicePanel(account, 'add-');
  return [
    h(
      'p',
      { class: 'step-line', key: 'page' },
      glyph('browser', 'quiet'),
      h('span', null, pieces('signin.page', { server: name(server) })),
    ),
    h('p', { class: 'hint', key: 'stuck' }, t('signin.stuck')),
  ];
}
