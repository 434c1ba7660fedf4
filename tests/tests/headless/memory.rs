//! What is left in the memory of a process that signed out.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};

use anyhow::{Context as _, Result, ensure};
use signbell_tests::upstream::{Reply, Upstream, ok};

use crate::world::World;

/// How much is read at once; pieces overlap by the length of what is looked for.
const PIECE: usize = 1 << 20;

#[test]
fn t11_after_sign_out_no_token_is_left_in_memory() -> Result<()> {
    let (world, access) = World::signed_in("wiped")?;
    let upstream = Upstream::start(|_| Reply::Bytes(ok("{}")))?;
    world.add_url(upstream.address(), "raw", &[])?;
    let raw = crate::world::Access { url: world.serve.url("/raw"), ..access.clone() };
    raw.get("/")?;
    world.provider.expire_access("ada")?;
    ensure!(access.get("/me")?["login"] == "ada");
    raw.get("/")?;
    let seen = upstream.seen();
    let mut tokens: Vec<String> = seen.iter().map(|request| request.token().to_owned()).collect();
    tokens.dedup();
    ensure!(tokens.len() == 2, "{} tokens", tokens.len());
    let kept = world.provider.control("GET", "/tokens", &[("login", "ada")], None)?;
    let refresh = kept["RefreshToken"].as_array().and_then(|all| all.last()?.as_str());
    tokens.push(refresh.with_context(|| format!("no refresh token in {kept}"))?.to_owned());
    let pid = world.serve.id();
    let Some(found) = find(pid, &tokens)? else {
        // Only root may look into a process that can't be dumped.
        return Ok(());
    };
    ensure!(found[1] > 0 && found[2] > 0, "the test does not see what is in use: {found:?}");
    world.sandbox.run_ok(&["sign-out", "ada"])?;
    // Whatever the workers' buffers held is overwritten by what they do next.
    for _ in 0..20 {
        access.curl("/me").run()?;
    }
    let found = find(pid, &tokens)?.context("the memory can't be read any more")?;
    ensure!(found.iter().all(|times| *times == 0), "found after sign-out: {found:?} times");
    Ok(())
}

#[test]
fn t11_the_process_can_t_be_dumped() -> Result<()> {
    let (world, _) = World::signed_in("undumpable")?;
    let pid = world.serve.id();
    let limits = fs::read_to_string(format!("/proc/{pid}/limits"))?;
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).context("no such limit")?;
    ensure!(core.split_whitespace().filter(|word| *word == "0").count() == 2, "{core}");
    // The kernel gives the files of a process that can't be dumped to root; run by
    // root, that can't be told apart.
    use std::os::unix::fs::MetadataExt as _;
    let (own, its) = (fs::metadata("/proc/self/environ")?, fs::metadata(format!("/proc/{pid}/environ"))?);
    if own.uid() != 0 {
        ensure!(its.uid() == 0, "its files are ours");
    }
    Ok(())
}

/// How often each of `texts` stands in the process's memory; nothing where it may not be read.
fn find(pid: u32, texts: &[String]) -> Result<Option<Vec<usize>>> {
    let Ok(mut memory) = fs::File::open(format!("/proc/{pid}/mem")) else { return Ok(None) };
    let mut found = vec![0; texts.len()];
    let longest = texts.iter().map(String::len).max().unwrap_or_default();
    for line in fs::read_to_string(format!("/proc/{pid}/maps"))?.lines() {
        let mut words = line.split_whitespace();
        let (Some(range), Some(rights)) = (words.next(), words.next()) else { continue };
        // What is not writable comes from a file.
        if !rights.starts_with("rw") {
            continue;
        }
        let (from, to) = range.split_once('-').context("a range")?;
        let (mut at, to) = (u64::from_str_radix(from, 16)?, u64::from_str_radix(to, 16)?);
        let mut kept: Vec<u8> = vec![];
        while at < to {
            let length = PIECE.min(usize::try_from(to - at)?);
            let mut piece = vec![0; length];
            memory.seek(SeekFrom::Start(at))?;
            if memory.read_exact(&mut piece).is_err() {
                // Reserved and never touched, or gone meanwhile.
                kept.clear();
                at += u64::try_from(length)?;
                continue;
            }
            let whole = [kept.as_slice(), &piece].concat();
            for (text, times) in texts.iter().zip(&mut found) {
                *times += occurrences(&whole, text.as_bytes(), kept.len());
            }
            kept = whole[whole.len().saturating_sub(longest - 1)..].to_vec();
            at += u64::try_from(length)?;
        }
    }
    Ok(Some(found))
}

/// How often `text` ends behind the first `known` bytes.
fn occurrences(bytes: &[u8], text: &[u8], known: usize) -> usize {
    let first = text.first().copied().unwrap_or_default();
    let starts = bytes.iter().enumerate().filter(|(_, byte)| **byte == first);
    starts.filter(|(at, _)| at + text.len() > known && bytes[*at..].starts_with(text)).count()
}
