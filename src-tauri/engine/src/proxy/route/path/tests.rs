#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;

#[test]
fn service_and_rest() {
    for (target, key, service, rest) in [
        ("/linear", None, "linear", ""),
        ("/linear/", None, "linear", "/"),
        ("/linear?a=b", None, "linear", "?a=b"),
        ("/linear/?a=b", None, "linear", "/?a=b"),
        ("/linear/mcp", None, "linear", "/mcp"),
        ("/linear/a/b/", None, "linear", "/a/b/"),
        ("/linear/a//b", None, "linear", "/a//b"),
        ("/linear/a?q=/../b&c=//d", None, "linear", "/a?q=/../b&c=//d"),
        ("/linear/a?q=%2e%2e\\%zz", None, "linear", "/a?q=%2e%2e\\%zz"),
        ("/linear/a??", None, "linear", "/a??"),
        ("/git-hub-2/x", None, "git-hub-2", "/x"),
        ("/gl/projects/group%2Fproject/issues", None, "gl", "/projects/group%2Fproject/issues"),
        ("/gl/a%5cb", None, "gl", "/a%5cb"),
        ("/gl/a%252Fb", None, "gl", "/a%252Fb"),
        ("/gl/%ff%00", None, "gl", "/%ff%00"),
        ("/gl/100%25", None, "gl", "/100%25"),
        ("/gl/v1.0/...", None, "gl", "/v1.0/..."),
        ("/gl/.hidden/x..y/a.", None, "gl", "/.hidden/x..y/a."),
        ("/gl/k/token/register", None, "gl", "/k/token/register"),
        ("/gl/.well-known/x", None, "gl", "/.well-known/x"),
        ("/gl/users/a@b:c;d=e", None, "gl", "/users/a@b:c;d=e"),
        ("/gl/http://evil", None, "gl", "/http://evil"),
        ("/k/sb_Key-1~2.3/gl/x?y", Some("sb_Key-1~2.3"), "gl", "/x?y"),
        ("/k/abc/gl", Some("abc"), "gl", ""),
        ("/k/k/gl/x", Some("k"), "gl", "/x"),
        ("/k/token/gl", Some("token"), "gl", ""),
        ("/kk/gl", None, "kk", "/gl"),
    ] {
        let expected = Target::Service { key: key.map(PathKey), service, rest: Rest(rest) };
        assert_eq!(parse(target), Ok(expected), "{target}");
    }
    let longest = format!("/{}", "a".repeat(40));
    assert!(matches!(parse(&longest), Ok(Target::Service { .. })));
}

#[test]
fn reserved_names() {
    for (target, reserved) in [
        ("/.well-known/oauth-protected-resource", Reserved::WellKnown),
        ("/.well-known/oauth-protected-resource/k/KEY/gl/mcp", Reserved::WellKnown),
        ("/.well-known", Reserved::WellKnown),
        ("/register", Reserved::Register),
        ("/authorize?client_id=x", Reserved::Authorize),
        ("/token/", Reserved::Token),
        ("/k", Reserved::Key),
        ("/k/", Reserved::Key),
        ("/k?x", Reserved::Key),
        ("/k/abc/register", Reserved::Register),
        ("/k/abc/.well-known/x", Reserved::WellKnown),
        ("/k/abc/k/abc", Reserved::Key),
    ] {
        assert_eq!(parse(target), Ok(Target::Reserved(reserved)), "{target}");
    }
}

#[test]
fn i13_the_request_never_chooses_the_upstream() {
    use TargetError::*;
    for (target, error) in [
        ("", NotOriginForm),
        ("*", NotOriginForm),
        ("?x", NotOriginForm),
        ("http://evil.test/gl/x", NotOriginForm),
        ("https://127.0.0.1:8401/gl/x", NotOriginForm),
        ("evil.test:443", NotOriginForm),
        ("gl/x", NotOriginForm),
        ("/", NoService),
        ("/?x", NoService),
        ("/k/abc", NoService),
        ("/k/abc/", NoService),
        ("//evil.test/x", NetworkPath),
        ("///gl/x", NetworkPath),
        ("/\\evil.test/x", Backslash),
        ("/gl\\x", Backslash),
        ("/gl/a\\..\\b", Backslash),
        ("/gl//evil.test/x", NetworkPath),
        ("/k//gl/x", Key),
        ("/k/abc//gl", NoService),
        ("/k/a%20b/gl/x", Key),
        ("/k/a:b/gl/x", Key),
        ("/gl/..", DotSegment),
        ("/gl/.", DotSegment),
        ("/gl/../x", DotSegment),
        ("/gl/./x", DotSegment),
        ("/../x", DotSegment),
        ("/gl/a/../../x", DotSegment),
        ("/gl/..?q", DotSegment),
        ("/gl/%2e%2e/x", DotSegment),
        ("/gl/%2E%2e/x", DotSegment),
        ("/gl/.%2e/x", DotSegment),
        ("/gl/%2e./x", DotSegment),
        ("/gl/%2e/x", DotSegment),
        ("/gl/x/%2E%2E", DotSegment),
        ("/gl/..%2fx", DotSegment),
        ("/gl/a%2f..", DotSegment),
        ("/gl/a%2F%2e%2E%2fb", DotSegment),
        ("/gl/a%5c..%5Cb", DotSegment),
        ("/gl/%252e%252e/x", DotSegment),
        ("/gl/%25252e./x", DotSegment),
        ("/gl/a%252f..%252fb", DotSegment),
        ("/gl/..;/x", DotSegment),
        ("/gl/..;a=b/x", DotSegment),
        ("/gl/%2e%2e%3bx/y", DotSegment),
        ("/k/../gl/x", DotSegment),
        ("/k/abc/../gl/x", DotSegment),
        ("/gl/%", PercentEncoding),
        ("/gl/%2", PercentEncoding),
        ("/gl/%zz", PercentEncoding),
        ("/gl/%%32%65", PercentEncoding),
        ("/gl/a b", Character),
        ("/gl/a\tb", Character),
        ("/gl/a\0b", Character),
        ("/gl/a\r\nb", Character),
        ("/gl/a\x7fb", Character),
        ("/gl/ä", Character),
        ("/gl/x?ä", Character),
        ("/gl/x?a b", Character),
        ("/gl/x#y", Character),
        ("/gl/x`y", Character),
        ("/gl/<x>", Character),
        ("/gl/x?<y", Character),
        ("/Linear/x", ServiceName),
        ("/li_near/x", ServiceName),
        ("/%6cinear/x", ServiceName),
        ("/linear.app/x", ServiceName),
        ("/linear:443/x", ServiceName),
        ("/user@linear/x", ServiceName),
        ("/linear%2fx", ServiceName),
        ("/k/abc/Linear", ServiceName),
    ] {
        assert_eq!(parse(target), Err(error), "{target:?}");
    }
    let longer = format!("/{}", "a".repeat(41));
    assert_eq!(parse(&longer), Err(ServiceName));
}

#[test]
fn only_origin_form_uris() {
    for (uri, good) in [
        ("/gl/x?y", true),
        ("http://evil.test/gl/x", false),
        ("evil.test:443", false),
        ("*", false),
        ("//evil.test/gl", false),
    ] {
        let uri: Uri = uri.parse().unwrap();
        assert_eq!(of_request(&uri).is_ok(), good, "{uri}");
    }
}

#[test]
fn a_key_is_not_shown() {
    let shown = format!("{:?}", parse("/k/secret-key/gl/x").unwrap());
    assert!(!shown.contains("secret"), "{shown}");
    assert!(shown.contains("redacted"), "{shown}");
}

#[test]
fn joined_below_the_base() {
    for (base, rest, expected) in [
        ("https://api.test", "", "https://api.test/"),
        ("https://api.test", "/", "https://api.test/"),
        ("https://api.test", "/x", "https://api.test/x"),
        ("https://api.test/", "?q", "https://api.test/?q"),
        ("https://api.test/v1", "", "https://api.test/v1"),
        ("https://api.test/v1", "/", "https://api.test/v1/"),
        ("https://api.test/v1", "?q=1", "https://api.test/v1?q=1"),
        ("https://api.test/v1", "/x?q", "https://api.test/v1/x?q"),
        ("https://api.test/v1/", "", "https://api.test/v1/"),
        ("https://api.test/v1/", "/", "https://api.test/v1/"),
        ("https://api.test/v1/", "/x", "https://api.test/v1/x"),
        ("https://api.test/v1/", "?q", "https://api.test/v1/?q"),
        ("https://api.test/v1//", "/x", "https://api.test/v1/x"),
        ("https://api.test:8443/v1", "/x", "https://api.test:8443/v1/x"),
        ("https://api.test:443/v1", "/x", "https://api.test/v1/x"),
        ("http://[::1]:80/v1", "/x", "http://[::1]/v1/x"),
        ("http://127.0.0.1:9/v1", "/x", "http://127.0.0.1:9/v1/x"),
        ("https://u:p@api.test/v1", "/x", "https://api.test/v1/x"),
        ("https://api.test/v1?a#b", "/x", "https://api.test/v1/x"),
        ("https://api.test/v4", "/projects/a%2Fb?c=%2F", "https://api.test/v4/projects/a%2Fb?c=%2F"),
    ] {
        let joined = join(&Url::parse(base).unwrap(), Rest::parse(rest).unwrap()).unwrap();
        assert_eq!(joined, expected, "{base} {rest}");
        assert_eq!(joined.to_string(), expected, "{base} {rest}");
    }
    let long = format!("/{}", "a".repeat(70_000));
    assert_eq!(
        join(&Url::parse("https://api.test/").unwrap(), Rest::parse(&long).unwrap()),
        Err(TargetError::Unusable)
    );
}

/// Whatever is accepted stays below the base, for us and for a parser that normalises.
#[test]
fn nothing_leaves_the_base() {
    let pieces = [
        "/",
        "/",
        "/",
        "//",
        ".",
        "..",
        "%2e",
        "%2E",
        "%252e",
        "%2f",
        "%5c",
        "\\",
        ";",
        "a",
        "b.c",
        "%",
        "%00",
        "?",
        "#",
        "@",
        ":",
        "evil.test",
        "http:",
        " ",
        "ü",
        "\t",
        "k",
        "{",
        "|",
        "\"",
        "<",
        "`",
        "^",
        "[",
        "'",
        "&",
        "=",
        "+",
        "~",
        "*",
    ];
    let bases = ["https://api.test/", "https://api.test/v1", "http://127.0.0.1:8080/a/b/", "http://[::1]:81/a.b"]
        .map(|base| Url::parse(base).unwrap());
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 33) as usize % below
    };
    let mut accepted = 0;
    for round in 0..200_000 {
        let mut target = String::from("/svc");
        for _ in 0..next(8) {
            target.push_str(pieces[next(pieces.len())]);
        }
        let Ok(Target::Service { rest, .. }) = parse(&target) else {
            continue;
        };
        accepted += 1;
        let base = &bases[round % bases.len()];
        let uri = join(base, rest).unwrap_or_else(|_| panic!("{target:?}"));
        assert_eq!(uri.scheme_str(), Some(base.scheme()), "{target}");
        assert_eq!(uri.host(), base.host_str(), "{target}");
        assert_eq!(uri.port_u16(), base.port(), "{target}");
        let below = base.path().trim_end_matches('/');
        let inside = |path: &str| path == base.path() || path.strip_prefix(below).is_some_and(|p| p.starts_with('/'));
        assert!(inside(uri.path()), "{target}: {uri}");
        let normal = Url::parse(&uri.to_string()).unwrap();
        assert_eq!(normal.origin(), base.origin(), "{target}");
        assert!(inside(normal.path()), "{target}: {normal}");
        assert_eq!(uri.query(), rest.as_str().split_once('?').map(|(_, query)| query));
    }
    assert!(accepted > 5_000, "{accepted}");
}
