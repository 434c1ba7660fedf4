// The login and consent pages: plain HTML forms, no JavaScript, nothing loaded from elsewhere,
// so that any browser driver (or fetch) can walk them.

const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const list = (value) => [value ?? []].flat().map(escape).join(' ') || '-';

export const page = (title, body) => `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>${escape(title)}</title></head>
<body><h1>${escape(title)}</h1>
${body}
</body></html>
`;

export const errorPage = (out) => page('Error', Object.entries(out)
  .map(([name, value]) => `<p><b>${escape(name)}</b>: <span id="${escape(name)}">${escape(value)}</span></p>`)
  .join('\n'));

const loginPage = ({ uid, params }) => page('Sign in', `
<form method="post" action="/interaction/${uid}/login">
<label for="login">Login</label>
<input name="login" id="login" required autofocus value="${escape(params.login_hint ?? '')}">
<button type="submit" id="continue">Continue</button>
</form>`);

const consentPage = ({ uid, params, session }) => page('Allow access?', `
<dl>
<dt>Account</dt><dd id="account">${escape(session.accountId)}</dd>
<dt>Client</dt><dd id="client">${escape(params.client_id)}</dd>
<dt>Scopes</dt><dd id="scopes">${list(params.scope)}</dd>
<dt>Resource</dt><dd id="resource">${list(params.resource)}</dd>
</dl>
<form method="post" action="/interaction/${uid}/consent">
<button type="submit" id="allow" name="decision" value="allow">Allow</button>
<button type="submit" id="deny" name="decision" value="deny">Deny</button>
</form>`);

/** The pages of a sign-in on another device (RFC 8628): the library's own load fonts from elsewhere. */
export const devicePages = {
  userCodeInputSource: (ctx, form, _out, error) => {
    ctx.body = page('Enter the code', `${error ? '<p id="error">That code is wrong.</p>' : ''}${form}
<button type="submit" id="continue" form="op.deviceInputForm">Continue</button>`);
  },
  userCodeConfirmSource: (ctx, form, client, _device, code) => {
    ctx.body = page('Is this your device?', `<p>Code <b id="code">${escape(code)}</b> of ${escape(client.clientId)}</p>${form}
<button type="submit" id="continue" form="op.deviceConfirmForm">Continue</button>
<button type="submit" id="abort" form="op.deviceConfirmForm" name="abort" value="yes">No</button>`);
  },
  successSource: (ctx) => { ctx.body = page('Done', '<p id="done">The other device is signed in.</p>'); },
};

async function form(req) {
  let body = '';
  for await (const chunk of req.setEncoding('utf8')) body += chunk;
  return new URLSearchParams(body);
}

/** What the user allowed: everything that was asked for and not yet granted. */
async function consentTo(provider, { grantId, params, prompt, session }) {
  const grant = (grantId && await provider.Grant.find(grantId))
    || new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  const { missingOIDCScope, missingOIDCClaims, missingResourceScopes } = prompt.details;
  if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope.join(' '));
  if (missingOIDCClaims) grant.addOIDCClaims(missingOIDCClaims);
  for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, scopes.join(' '));
  }
  return { consent: { grantId: await grant.save() } };
}

/** Answers GET /interaction/<uid> and the POSTs of its two forms. */
export function interactions(provider, state) {
  return async (req, res, pathname) => {
    const send = (status, html) => res
      .writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' })
      .end(html);
    let details;
    try {
      details = await provider.interactionDetails(req, res);
    } catch (error) {
      return send(400, errorPage({ error: error.error ?? 'error', error_description: error.error_description ?? error.message }));
    }
    const finish = (result, mergeWithLastSubmission) => provider
      .interactionFinished(req, res, result, { mergeWithLastSubmission });
    const step = details.prompt.name; // "login" or "consent"

    if (req.method === 'GET') {
      if (!state.autoConsent) return send(200, step === 'login' ? loginPage(details) : consentPage(details));
      return step === 'login'
        ? finish({ login: { accountId: state.autoConsent } }, false)
        : finish(await consentTo(provider, details), true);
    }

    const answers = await form(req);
    if (pathname === `/interaction/${details.uid}/login` && step === 'login') {
      const login = answers.get('login')?.trim();
      return login ? finish({ login: { accountId: login } }, false) : send(400, loginPage(details));
    }
    if (pathname === `/interaction/${details.uid}/consent` && step === 'consent') {
      return answers.get('decision') === 'allow'
        ? finish(await consentTo(provider, details), true)
        : finish({ error: 'access_denied', error_description: 'the user did not allow access' }, false);
    }
    return send(404, errorPage({ error: 'not_found', error_description: 'no such step' }));
  };
}
