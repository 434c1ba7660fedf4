// The last step of adding: what the service said to the first call, and what a tool needs to use it.

import { call } from './bridge.js';
import { h, name } from './dom.js';
import { glyph } from './glyphs.js';
import { keyBox } from './keybox.js';
import { asName } from './names.js';
import { button, copyable, failure, field } from './parts.js';
import { act, focusSoon, state } from './store.js';
import { pieces, t } from './words.js';

const LOOKS = {
  works: ['fine', 'good'],
  answers: ['hint', 'quiet'],
  refused: ['failing', 'bad'],
  unreachable: ['failing', 'warn'],
};

/** Draws it. */
export function worksStep(view, adding) {
  const { added, call: answer } = adding;
  const account = view.accounts.find((one) => one.account === added.account);
  const key = added.tool && state.keys.get(added.tool);
  return [
    who(account),
    failure('add', { host: added.service }),
    answer
      ? outcome(answer)
      : state.busy.has('add') && h('p', { key: 'asking', class: 'hint' }, pieces('works.asking', { name: name(added.service) })),
    h(
      'div',
      { class: 'field', key: 'address' },
      h('p', { class: 'label' }, pieces('added.address', { name: name(added.service) })),
      copyable('added-address', added.url, t('address_of', { name: added.service })),
      h('p', { class: 'hint' }, t('added.address.hint')),
    ),
    key ? keyBox(key) : toolEntry(adding),
  ];
}

function who(account) {
  return (
    account &&
    (account.state === 'active' || account.state === 'refreshing') &&
    h(
      'p',
      { class: 'step-line result-state', key: 'who' },
      glyph('fine', 'good'),
      h('span', null, account.identity ? pieces('added.signed_in', { name: name(account.title) }) : t('added.anonymous')),
    )
  );
}

function outcome({ outcome: how, words, status, asked, rule }) {
  const [icon, look] = LOOKS[how];
  return h(
    'div',
    { class: `outcome outcome-${how}`, key: 'outcome', role: 'status' },
    glyph(icon, look),
    h(
      'div',
      null,
      h(
        'p',
        null,
        h('strong', null, t(`works.${how === 'works' ? 'yes' : how}`)),
        '. ',
        h('span', { dir: 'auto' }, words),
      ),
      h('p', { class: 'outcome-fact' }, h('code', { dir: 'ltr' }, [asked, '→', status ?? '–', rule].filter(Boolean).join(' '))),
    ),
  );
}

/** A key for the tool that was typed. One that has a key already just may use the service too. */
export function makeKey(adding) {
  const { service } = adding.added;
  return act('works-tool', async () => {
    const tool = asName(document.getElementById('works-tool')?.value ?? '');
    if (!tool) throw { kind: 'usage', code: 'bad_name', said: t('tool.bad_name') };
    const asked = { tool, services: [service], expired: 'automatic', key_in_path: false };
    const made = await call('tool_add', { tool: asked });
    if (made.key) state.keys.set(tool, { tool, key: made.key, urls: { [service]: made.urls[service] } });
    adding.added = { ...adding.added, tool };
    if (made.key) focusSoon(`keybox-${tool}`);
  });
}

// Where no tool was named before.
function toolEntry(adding) {
  if (adding.added.tool)
    return h('p', { class: 'hint', key: 'given' }, pieces('works.tool.given', { tool: name(adding.added.tool) }));
  return h(
    'div',
    { class: 'works-tool', key: 'tool' },
    field('works-tool', t('works.tool'), { placeholder: t('tool.name.example'), list: 'add-tools', hint: t('add.tool.hint') }),
    button(t('works.tool.submit'), { type: 'submit', id: 'works-tool-make', place: 'works-tool' }),
    failure('works-tool'),
  );
}
