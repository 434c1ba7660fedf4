//! Requests made with the real `curl`, the way local tools use the proxy.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::process::Process;
use crate::wait::wait_ok;

/// A request being put together. Reads no `.curlrc` and uses no proxy from the environment.
#[derive(Debug)]
pub struct Curl {
    url: String,
    args: Vec<String>,
    body: Option<Vec<u8>>,
    limit: Duration,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Response {
    /// The HTTP status; 0 if there was no response.
    pub status: u16,
    /// The header fields of the last response (after redirects and `100 Continue`), in order.
    pub headers: Vec<(String, String)>,
    /// The body, as much of it as came.
    pub body: Vec<u8>,
    /// From the start of the program to its end.
    pub time: Duration,
    /// curl's exit code: 0 if the response came completely; 7 no connection, 18 cut off, 28 too
    /// slow, 52 no answer, 56 connection reset.
    pub exit: i32,
    /// What curl said on stderr.
    pub message: String,
}

/// A request under way; dropping it ends curl and so closes the connection.
#[derive(Debug)]
pub struct Pending {
    process: Process,
    folder: TempDir,
    start: Instant,
    limit: Duration,
    url: String,
}

impl Curl {
    /// A GET request for `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), args: Vec::new(), body: None, limit: Duration::from_secs(60) }
    }

    /// Sets the method; without it GET, or POST if there is a body.
    #[must_use]
    pub fn method(self, method: &str) -> Self {
        match method {
            "HEAD" => self.arg("--head"),
            method => self.arg("--request").arg(method),
        }
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        // An empty value needs the form with a semicolon, else curl leaves the field out.
        let field = match value {
            "" => format!("{name};"),
            value => format!("{name}: {value}"),
        };
        self.arg("--header").arg(field)
    }

    /// Sets the body, sent as it is.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sets a JSON body with its content type.
    #[must_use]
    pub fn json(self, body: &serde_json::Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// Adds any argument of curl's (`--http2-prior-knowledge`, `--no-buffer`, …).
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Sets the limit after which the request is given up (a minute without it).
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Makes the request and wants a complete response, of whatever status.
    pub fn run(self) -> Result<Response> {
        self.spawn()?.wait()
    }

    /// Makes the request and accepts that it fails: see [`Response::exit`].
    pub fn run_any(self) -> Result<Response> {
        self.spawn()?.wait_any()
    }

    /// Starts the request and leaves it under way.
    pub fn spawn(self) -> Result<Pending> {
        let folder = TempDir::with_prefix("signbell-curl-").context("creating curl's folder")?;
        let mut command = Command::new("curl");
        // -q must come first to keep .curlrc out.
        command
            .args(["-q", "--silent", "--show-error", "--noproxy", "*", "--no-buffer"])
            .arg("--max-time")
            .arg(self.limit.as_secs_f64().to_string())
            .arg("--dump-header")
            .arg(folder.path().join("headers"))
            .arg("--output")
            .arg(folder.path().join("body"))
            .args(["--write-out", "%{http_code}"])
            .args(&self.args)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        if let Some(body) = &self.body {
            let file = folder.path().join("request");
            fs::write(&file, body).context("writing the request's body")?;
            let mut data = std::ffi::OsString::from("@");
            data.push(&file);
            command.arg("--data-binary").arg(data);
        }
        command
            .arg("--url")
            .arg(&self.url)
            .stdin(Stdio::null())
            .stdout(create(&folder.path().join("status"))?)
            .stderr(create(&folder.path().join("message"))?);
        Ok(Pending {
            process: Process::spawn(command, "curl")?,
            folder,
            start: Instant::now(),
            limit: self.limit,
            url: self.url,
        })
    }
}

impl Pending {
    /// Waits for a complete response, of whatever status.
    pub fn wait(self) -> Result<Response> {
        let url = self.url.clone();
        let response = self.wait_any()?;
        ensure!(
            response.exit == 0,
            "request for {url} failed: {} (exit code {}, status {})",
            response.message.trim_end(),
            response.exit,
            response.status
        );
        Ok(response)
    }

    /// Waits for the end and accepts that the request failed: see [`Response::exit`].
    pub fn wait_any(mut self) -> Result<Response> {
        // curl itself keeps the limit; the few seconds more only save the test from a curl that hangs.
        let status = self.process.wait(self.limit + Duration::from_secs(5))?;
        let exit = status.code().context("curl was ended by a signal")?;
        Ok(Response {
            status: self.read("status").trim().parse().unwrap_or(0),
            headers: self.headers(),
            body: self.body_so_far(),
            time: self.start.elapsed(),
            exit,
            message: self.read("message"),
        })
    }

    /// Whether the request is still under way.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// The part of the body that has come so far.
    pub fn body_so_far(&self) -> Vec<u8> {
        fs::read(self.file("body")).unwrap_or_default()
    }

    /// Waits until the body so far contains `text`, for responses that stream.
    pub fn wait_body(&self, text: &str, timeout: Duration) -> Result<String> {
        wait_ok(&format!("{text:?} in the body"), timeout, || {
            let body = String::from_utf8_lossy(&self.body_so_far()).into_owned();
            ensure!(body.contains(text), "{body:?}");
            Ok(body)
        })
    }

    fn headers(&self) -> Vec<(String, String)> {
        let all = self.read("headers").replace("\r\n", "\n");
        let last = all.trim_end().rsplit("\n\n").next().unwrap_or_default();
        let fields = last.lines().filter_map(|line| line.split_once(':'));
        fields.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.file(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Response {
    /// The value of the first header field of this name, upper and lower case being the same.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.headers.iter();
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text, invalid UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("status {}, body is not JSON: {}", self.status, self.text()))
    }
}

fn create(file: &Path) -> Result<fs::File> {
    fs::File::create(file).with_context(|| format!("creating {}", file.display()))
}
