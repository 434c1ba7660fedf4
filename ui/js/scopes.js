// Scopes in words. What a scope means is the provider's to say, so its own name always stands beside
// the words, and one that the catalogue does not know stands alone.

import { h } from './dom.js';
import { has, t } from './words.js';

// `write:issues`, `issues:write`, `issues.read`, `Mail.ReadWrite`, `read`.
const VERBS = {
  read: 'read',
  readonly: 'read',
  write: 'write',
  readwrite: 'write',
  create: 'create',
  delete: 'delete',
  admin: 'admin',
  manage: 'admin',
};

/** A list of scopes. */
export function scopeList(scopes) {
  return h(
    'ul',
    { class: 'scopes' },
    scopes.map((scope) => {
      const words = inWords(scope);
      return h(
        'li',
        { key: scope },
        words && h('span', { class: 'scope-words' }, words),
        h('code', { class: words ? 'scope-name' : 'scope-name alone', dir: 'auto' }, scope),
      );
    }),
  );
}

/** What a scope means, if the catalogue knows. */
export function inWords(scope) {
  if (has(`scope.${scope}`)) return t(`scope.${scope}`);
  const parts = scope.split(/[:.]/);
  if (parts.length > 2 || parts.some((part) => !/^[A-Za-z][\w-]*$/.test(part))) return null;
  const at = parts.findIndex((part) => Object.hasOwn(VERBS, part.toLowerCase()));
  if (at < 0) return null;
  const verb = VERBS[parts[at].toLowerCase()];
  const what = parts[1 - at]
    ?.replace(/([a-z])([A-Z])/g, '$1 $2')
    .replace(/[_-]+/g, ' ')
    .toLowerCase();
  return what ? t(`scope.verb.${verb}`, { what }) : t(`scope.any.${verb}`);
}
