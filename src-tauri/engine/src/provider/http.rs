//! Our own HTTP client for providers: no redirects, no ambient proxy, bounded in size and time.

mod public;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ::http::HeaderValue;
use base64::Engine as _;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use url::Url;

pub use self::public::is_in_public;
use self::public::{PRIVATE, PublicNames, is_public};
use crate::browser::is_loopback;
use crate::rules::Injection;
use crate::secret::Secret;

/// More than this no metadata and no token response needs.
const LARGEST: usize = 1024 * 1024;

/// The whole request, from name look-up to the last byte.
const DEADLINE: Duration = Duration::from_secs(10);

/// The revision of the MCP specification that discovery follows.
const MCP_REVISION: &str = "2026-07-28";

/// How the network is reached, as the person set it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NetworkSettings {
    /// A corporate HTTP proxy for everything that is not loopback.
    pub proxy: Option<Url>,
    /// A PEM file of certificate authorities to trust besides the system's.
    pub extra_ca: Option<PathBuf>,
}

/// Why the network settings can't be used.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The file of extra authorities.
    #[error("extra_ca {path}: {why}")]
    ExtraCa {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The proxy's address.
    #[error("proxy {0}: not an http:// address")]
    Proxy(Url),
    /// The system's trust store.
    #[error("trust store: {0}")]
    Tls(#[from] rustls::Error),
    /// The client could not be made.
    #[error("{0}")]
    Client(#[from] reqwest::Error),
}

/// TLS as every outgoing connection uses it: rustls with the system's trust store, and the person's
/// extra authorities.
///
/// # Errors
/// [`NetworkError`].
pub fn tls_config(extra_ca: Option<&Path>) -> Result<rustls::ClientConfig, NetworkError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = extra_ca.map(read_authorities).transpose()?.unwrap_or_default();
    let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(roots, Arc::clone(&provider))?;
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous() // rustls' word for any verifier but its own; this one asks the system's trust store
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

/// How many authorities a person's own file holds.
///
/// # Errors
/// [`NetworkError::ExtraCa`].
pub fn authorities(path: &Path) -> Result<usize, NetworkError> {
    read_authorities(path).map(|roots| roots.len())
}

fn read_authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, NetworkError> {
    let bad = |why: String| NetworkError::ExtraCa { path: path.to_owned(), why };
    let pem = std::fs::read(path).map_err(|e| bad(e.to_string()))?;
    let roots = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>().map_err(|e| bad(e.to_string()))?;
    if roots.is_empty() { Err(bad("holds no certificate".into())) } else { Ok(roots) }
}

/// Why nothing usable came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Only `https`, and `http` to this machine, is asked.
    #[error("{0} is neither https nor on this machine")]
    Insecure(Url),
    /// Nothing was sent.
    #[error("no connection to {host}: {why}")]
    NotSent {
        /// Whose.
        host: String,
        /// What failed.
        why: String,
    },
    /// Sent; no whole answer in time.
    #[error("no answer from {host}: {why}")]
    NoAnswer {
        /// Whose.
        host: String,
        /// What failed.
        why: String,
    },
    /// The answer is larger than any that makes sense.
    #[error("{host} answered more than 1 MiB")]
    TooLarge {
        /// Whose.
        host: String,
    },
    /// Another status than 200.
    #[error("{host} answered {status}")]
    Status {
        /// Whose.
        host: String,
        /// Which.
        status: u16,
    },
    /// Not JSON.
    #[error("{host} answered no JSON")]
    NotJson {
        /// Whose.
        host: String,
    },
}

/// The client. Cheap to clone; all clones are put on other settings together.
#[derive(Clone)]
pub struct Http {
    clients: Arc<RwLock<Clients>>,
    only_public: bool,
}

/// What requests are sent by.
#[derive(Clone)]
pub struct Clients {
    usual: reqwest::Client,
    /// The same for what a public service leads to: it reaches no address of this machine or its network.
    public: reqwest::Client,
}

impl Clients {
    /// With these settings.
    ///
    /// # Errors
    /// [`NetworkError`].
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    pub fn new(settings: &NetworkSettings) -> Result<Self, NetworkError> {
        let usual = Self::build(settings, reqwest::Client::builder())?;
        let proxy = settings.proxy.as_ref().and_then(|proxy| proxy.host_str().map(str::to_owned));
        let names = PublicNames { proxy };
        let public = Self::build(settings, reqwest::Client::builder().dns_resolver(names))?;
        Ok(Self { usual, public })
    }

    fn build(settings: &NetworkSettings, builder: reqwest::ClientBuilder) -> Result<reqwest::Client, NetworkError> {
        let builder = builder
            .tls_backend_preconfigured(tls_config(settings.extra_ca.as_deref())?)
            // A redirect from a well-known or a token endpoint leads secrets elsewhere (D4, D14).
            .redirect(reqwest::redirect::Policy::none())
            // A hostile HTTP_PROXY in the environment is ignored (E8); this also removes it.
            .no_proxy()
            .timeout(DEADLINE)
            .connect_timeout(DEADLINE)
            // An idle connection that the server closed just then would make "sent, no answer" of a
            // refresh, which costs the session at a strict provider.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("Signbell/", env!("CARGO_PKG_VERSION")));
        let builder = match &settings.proxy {
            None => builder,
            Some(proxy) if proxy.scheme() == "http" => {
                let direct = reqwest::NoProxy::from_string("127.0.0.0/8,::1,localhost");
                builder.proxy(reqwest::Proxy::all(proxy.as_str())?.no_proxy(direct))
            }
            Some(proxy) => return Err(NetworkError::Proxy(proxy.clone())),
        };
        Ok(builder.build()?)
    }
}

impl Http {
    /// A client with these settings.
    ///
    /// # Errors
    /// [`NetworkError`].
    pub fn new(settings: &NetworkSettings) -> Result<Self, NetworkError> {
        Ok(Self { clients: Arc::new(RwLock::new(Clients::new(settings)?)), only_public: false })
    }

    /// Puts this client and all its clones on others; requests under way end as they began.
    pub fn put(&self, clients: Clients) {
        *self.clients.write().unwrap_or_else(PoisonError::into_inner) = clients;
    }

    /// The same client for addresses that a public service names (D3): whatever leads to this machine or
    /// to its network, by name or by number, is not asked.
    #[must_use]
    pub fn only_public(&self) -> Self {
        Self { only_public: true, clients: Arc::clone(&self.clients) }
    }

    /// Sends `request` and reads no more than the head of its answer.
    ///
    /// # Errors
    /// [`FetchError`], but never `Status`.
    pub async fn head(
        &self,
        request: ::http::Request<Vec<u8>>,
    ) -> Result<(::http::StatusCode, ::http::HeaderMap), FetchError> {
        let (_, response) = self.begin(request).await?;
        Ok((response.status(), response.headers().clone()))
    }

    /// Sends `request` and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// [`FetchError`], but never `Status`.
    pub async fn send(&self, request: ::http::Request<Vec<u8>>) -> Result<::http::Response<Vec<u8>>, FetchError> {
        let (host, mut response) = self.begin(request).await?;
        let mut answer = ::http::Response::builder().status(response.status());
        if let Some(headers) = answer.headers_mut() {
            headers.clone_from(response.headers());
        }
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() > LARGEST => return Err(FetchError::TooLarge { host }),
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(e) => return Err(FetchError::NoAnswer { host, why: deepest(&e) }),
            }
        }
        answer.body(bytes).map_err(|e| FetchError::NoAnswer { host, why: e.to_string() })
    }

    async fn begin(&self, request: ::http::Request<Vec<u8>>) -> Result<(String, reqwest::Response), FetchError> {
        let (parts, body) = request.into_parts();
        let url: Url = parts.uri.to_string().parse().map_err(|_| FetchError::NotSent {
            host: parts.uri.host().unwrap_or_default().to_owned(),
            why: "not an address".into(),
        })?;
        if url.scheme() != "https" && !is_loopback(&url) {
            return Err(FetchError::Insecure(url));
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        let clients = self.clients.read().unwrap_or_else(PoisonError::into_inner).clone();
        let client = if self.only_public { clients.public } else { clients.usual };
        // A name is looked at when it is resolved.
        let private = match url.host() {
            Some(url::Host::Ipv4(ip)) => !is_public(ip.into()),
            Some(url::Host::Ipv6(ip)) => !is_public(ip.into()),
            _ => is_loopback(&url),
        };
        if self.only_public && private {
            return Err(FetchError::NotSent { host, why: PRIVATE.into() });
        }
        let sent = client.request(parts.method, url).headers(parts.headers).body(body).send().await;
        let response = sent.map_err(|e| {
            // The reason without reqwest's own prefix, which would repeat the address with its query.
            let why = deepest(&e);
            let host = host.clone();
            if e.is_connect() || e.is_builder() {
                FetchError::NotSent { host, why }
            } else {
                FetchError::NoAnswer { host, why }
            }
        })?;
        Ok((host, response))
    }

    /// Posts JSON.
    ///
    /// # Errors
    /// [`FetchError`], but never `Status`.
    pub async fn post_json(
        &self,
        url: &Url,
        document: &serde_json::Value,
    ) -> Result<::http::Response<Vec<u8>>, FetchError> {
        let request = ::http::Request::post(url.as_str())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .body(document.to_string().into_bytes());
        let host = url.host_str().unwrap_or_default().to_owned();
        self.send(request.map_err(|e| FetchError::NotSent { host, why: e.to_string() })?).await
    }

    /// Fetches the metadata of a service or a server. MCP 2025-03-26 has clients name their revision there;
    /// who is no MCP server ignores it.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn get_metadata(&self, url: &Url) -> Result<serde_json::Value, FetchError> {
        self.fetch_json(::http::Request::get(url.as_str()).header("mcp-protocol-version", MCP_REVISION), url, None)
            .await
    }

    /// Fetches a JSON document, with a bearer token where one is given.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn get_json(&self, url: &Url, bearer: Option<&Secret>) -> Result<serde_json::Value, FetchError> {
        self.fetch_json(::http::Request::get(url.as_str()), url, bearer).await
    }

    async fn fetch_json(
        &self,
        request: ::http::request::Builder,
        url: &Url,
        bearer: Option<&Secret>,
    ) -> Result<serde_json::Value, FetchError> {
        let host = url.host_str().unwrap_or_default().to_owned();
        let mut request = request.header(ACCEPT, "application/json");
        if let Some(token) = bearer {
            let value = Injection::default()
                .value(token)
                .ok_or_else(|| FetchError::NotSent { host: host.clone(), why: "the token can't be a header".into() })?;
            request = request.header(::http::header::AUTHORIZATION, value);
        }
        let request =
            request.body(Vec::new()).map_err(|e| FetchError::NotSent { host: host.clone(), why: e.to_string() })?;
        let response = self.send(request).await?;
        if response.status() != ::http::StatusCode::OK {
            return Err(FetchError::Status { host, status: response.status().as_u16() });
        }
        serde_json::from_slice(response.body()).map_err(|_| FetchError::NotJson { host })
    }
}

/// RFC 6749 section 2.3.1: id and secret form-encoded, then Basic.
pub(super) fn basic_credentials(id: &str, secret: &Secret) -> HeaderValue {
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(id), encode(secret.expose()));
    let text = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
    // Base64 is always a valid header value.
    let mut value = HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// The innermost cause of an error: the part that a person can use ("connection refused").
fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn basic_credentials_are_encoded_first() {
        let value = basic_credentials("a:b", &Secret::new("p w"));
        assert_eq!(value.to_str().unwrap(), "Basic YSUzQWI6cCt3");
        assert!(!format!("{value:?}").contains("Basic"));
    }
}
