// Signing in on another device (RFC 8628): a code, where to enter it, and that address as a picture.

import { call } from './bridge.js';
import { h } from './dom.js';
import { button, copyButton, failure } from './parts.js';
import { act } from './store.js';
import { pieces, t } from './words.js';

/** Draws it; `where` sets it apart from another one for the same account. */
export function devicePanel({ account: id, device }, where = '') {
  const place = `device-${where}${id}`;
  return h(
    'div',
    { class: 'device', key: 'device' },
    h(
      'div',
      { class: 'device-text' },
      h('p', null, pieces('signin.code', { address: h('span', { class: 'device-address', dir: 'ltr' }, device.verification_uri) })),
      h(
        'p',
        { class: 'device-code' },
        // Read letter by letter, as it is typed.
        h('code', { dir: 'ltr', 'aria-label': [...device.user_code].join(' ') }, device.user_code),
        copyButton(place, device.user_code, t('signin.code.copy')),
      ),
      button(t('signin.code.open'), {
        icon: 'browser',
        id: `open-${place}`,
        place,
        on: () => act(place, () => call('open_device_page', { account: id })),
      }),
      failure(place),
    ),
    device.qr_svg &&
      h(
        'figure',
        { class: 'device-qr', key: 'qr' },
        h('img', {
          src: `data:image/svg+xml,${encodeURIComponent(device.qr_svg)}`,
          alt: t('signin.qr'),
          width: '160',
          height: '160',
        }),
        h('figcaption', { class: 'hint' }, t('signin.qr.hint')),
      ),
  );
}
