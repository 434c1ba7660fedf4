//! A request head, judged line by line as it arrives.

use http::Uri;

use super::Upgrade;
use super::octets::{is_field_byte, is_token, is_white_space};
use super::{BODY_LIMIT, FIELD_COUNT_LIMIT, FIELD_SECTION_LIMIT, REFUSED_METHOD, REQUEST_LINE_LIMIT, Refused};

/// A request head (RFC 9112 sections 2 to 6), judged line by line as it arrives.
pub(super) struct Head {
    scanned: usize,
    line_start: usize,
    after_carriage_return: bool,
    /// How far this part of the head, request line or fields, may reach.
    reach: usize,
    empty_line_skipped: bool,
    request_line: Option<RequestLine>,
    fields: usize,
    host: bool,
    content_length: Option<u64>,
    chunked: bool,
    upgrade: bool,
}

struct RequestLine {
    http_11: bool,
    connect: bool,
}

pub(super) enum Body {
    None,
    Length(u64),
    Chunked,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            scanned: 0,
            line_start: 0,
            after_carriage_return: false,
            reach: REQUEST_LINE_LIMIT + 2,
            empty_line_skipped: false,
            request_line: None,
            fields: 0,
            host: false,
            content_length: None,
            chunked: false,
            upgrade: false,
        }
    }
}

impl Head {
    /// Goes on where it stopped. `bytes` begins where the head begins, each time; the answer is the
    /// head's length once it is whole.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Result<Option<usize>, Refused> {
        loop {
            self.pass_plain_bytes(bytes)?;
            let Some(&byte) = bytes.get(self.scanned) else { return Ok(None) };
            let after_carriage_return = std::mem::take(&mut self.after_carriage_return);
            match byte {
                b'\n' if after_carriage_return => {
                    let line = bytes.get(self.line_start..self.scanned - 1).unwrap_or_default();
                    self.scanned += 1;
                    self.line_start = self.scanned;
                    if self.line(line)? {
                        return Ok(Some(self.scanned));
                    }
                    continue;
                }
                _ if after_carriage_return => return Err(Refused::BareCarriageReturn),
                b'\n' => return Err(Refused::BareLineFeed),
                b'\r' => self.after_carriage_return = true,
                _ => return Err(Refused::ControlCharacter),
            }
            self.pass(1)?;
        }
    }

    /// Passes over what can end no line, which is nearly all of a head, in one tight loop.
    fn pass_plain_bytes(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        if self.after_carriage_return {
            return Ok(());
        }
        let rest = bytes.get(self.scanned..bytes.len().min(self.reach)).unwrap_or_default();
        let plain = rest.iter().position(|&byte| !is_field_byte(byte)).unwrap_or(rest.len());
        if plain == 0 { Ok(()) } else { self.pass(plain) }
    }

    fn pass(&mut self, bytes: usize) -> Result<(), Refused> {
        self.scanned += bytes;
        if self.scanned < self.reach {
            return Ok(());
        }
        Err(match self.request_line {
            None => Refused::RequestLineTooLong,
            Some(_) => Refused::FieldsTooLarge,
        })
    }

    /// Takes a line without its CRLF; true if it was the last.
    fn line(&mut self, line: &[u8]) -> Result<bool, Refused> {
        match (&self.request_line, line) {
            // RFC 9112 section 2.2: one empty line before the request line is forgiven.
            (None, []) if !self.empty_line_skipped => {
                self.empty_line_skipped = true;
                self.reach += 2;
            }
            (None, line) => {
                self.request_line = Some(RequestLine::parse(line)?);
                self.reach = self.scanned + FIELD_SECTION_LIMIT;
            }
            (Some(request_line), []) => {
                if self.chunked && self.content_length.is_some() {
                    return Err(Refused::ContentLengthAndTransferEncoding);
                }
                if self.chunked && !request_line.http_11 {
                    return Err(Refused::TransferEncodingInHttp10);
                }
                if request_line.http_11 && !self.host {
                    return Err(Refused::HostMissing);
                }
                return Ok(true);
            }
            (Some(_), line) => self.field(line)?,
        }
        Ok(false)
    }

    fn field(&mut self, line: &[u8]) -> Result<(), Refused> {
        self.fields += 1;
        if self.fields > FIELD_COUNT_LIMIT {
            return Err(Refused::FieldsTooLarge);
        }
        if line.first().is_some_and(|&byte| is_white_space(byte)) {
            return Err(Refused::LineFolding);
        }
        let colon = line.iter().position(|&byte| byte == b':');
        let (name, value) = line.split_at(colon.ok_or(Refused::FieldName)?);
        if name.last().is_some_and(|&byte| is_white_space(byte)) {
            return Err(Refused::WhitespaceBeforeColon);
        }
        if !is_token(name) {
            return Err(Refused::FieldName);
        }
        let value = value.get(1..).unwrap_or_default();
        self.framing_field(name, trim_white_space(value))
    }

    /// Notes what decides the body's length, the host and the protocol.
    fn framing_field(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refused> {
        if name.eq_ignore_ascii_case(b"content-length") {
            if self.content_length.is_some() {
                return Err(Refused::ContentLengthRepeated);
            }
            self.content_length = Some(decimal(value).ok_or(Refused::ContentLength)?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Refused::TransferEncoding);
            }
            self.chunked = true;
        } else if name.eq_ignore_ascii_case(b"host") {
            if self.host {
                return Err(Refused::HostRepeated);
            }
            self.host = true;
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            self.upgrade = true;
        } else if name.eq_ignore_ascii_case(b"content_length") || name.eq_ignore_ascii_case(b"transfer_encoding") {
            // CGI and WSGI make the same variable of both spellings (RFC 3875 section 4.1.18), so
            // an upstream could take this for the real one.
            return Err(Refused::FieldName);
        }
        Ok(())
    }

    pub(super) fn body(&self) -> Body {
        match self.content_length {
            _ if self.chunked => Body::Chunked,
            None | Some(0) => Body::None,
            Some(length) => Body::Length(length),
        }
    }

    pub(super) fn upgrade(&self) -> Option<Upgrade> {
        match &self.request_line {
            Some(line) if line.connect => Some(Upgrade::Connect),
            // RFC 9110 section 7.8: a server ignores Upgrade in HTTP/1.0.
            Some(line) if line.http_11 && self.upgrade => Some(Upgrade::Protocol),
            _ => None,
        }
    }
}

impl RequestLine {
    /// RFC 9112 section 3, without the leniency about white space.
    fn parse(line: &[u8]) -> Result<Self, Refused> {
        let mut parts = line.split(|&byte| byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Refused::RequestLine);
        };
        // A fragment is never sent (RFC 9110 section 4.2.5), and the `http` crate drops it silently;
        // what that crate refuses, hyper would answer with a 400 of its own.
        let in_target = |byte: &u8| byte.is_ascii_graphic() && *byte != b'#';
        if !is_token(method)
            || method == REFUSED_METHOD.as_bytes()
            || !target.iter().all(in_target)
            || Uri::try_from(target).is_err()
        {
            return Err(Refused::RequestLine);
        }
        let http_11 = match version {
            b"HTTP/1.1" => true,
            b"HTTP/1.0" => false,
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit() => {
                return Err(Refused::Version);
            }
            _ => return Err(Refused::RequestLine),
        };
        Ok(Self { http_11, connect: method == b"CONNECT" })
    }
}
/// `1*DIGIT` up to [`BODY_LIMIT`] (RFC 9110 section 8.6).
fn decimal(value: &[u8]) -> Option<u64> {
    let add = |number: u64, byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    };
    let number = value.iter().try_fold(0, add)?;
    (!value.is_empty() && number <= BODY_LIMIT).then_some(number)
}
fn trim_white_space(mut value: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = value
        && is_white_space(*first)
    {
        value = rest;
    }
    while let [rest @ .., last] = value
        && is_white_space(*last)
    {
        value = rest;
    }
    value
}
