//! The process under the load, looked at from outside.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

/// How it was at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Since the beginning.
    pub after: Duration,
    /// Tokens renewed so far.
    pub renewed: u64,
    /// Memory that is really there, in KiB.
    pub resident: u64,
    /// Open descriptors.
    pub descriptors: u64,
}

impl Sample {
    /// Looks at the process.
    pub fn take(pid: u32, after: Duration, renewed: u64) -> Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let resident = line.trim().trim_end_matches(" kB").parse().with_context(|| line.to_owned())?;
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64;
        Ok(Self { after, renewed, resident, descriptors })
    }
}

/// Wants the last quarter of the run to need no more than the second, when all had been in use once: of memory
/// not `more_kib` above it, of descriptors not `more_descriptors`.
pub fn ensure_flat(samples: &[Sample], more_kib: u64, more_descriptors: u64) -> Result<()> {
    let quarter = samples.len() / 4;
    ensure!(quarter > 0, "only {} samples", samples.len());
    let (early, late) = (&samples[quarter..2 * quarter], &samples[samples.len() - quarter..]);
    for (what, of, more) in [
        ("KiB", (|sample| sample.resident) as fn(&Sample) -> u64, more_kib),
        ("descriptors", |sample| sample.descriptors, more_descriptors),
    ] {
        let (before, after) = (median(early, of), median(late, of));
        ensure!(after <= before + more, "{before} {what} became {after}");
    }
    Ok(())
}

/// A table of at most so many rows.
pub fn table(samples: &[Sample], rows: usize) -> String {
    let mut text = String::from("| seconds | tokens renewed | memory, MiB | descriptors |\n|---|---|---|---|\n");
    let step = samples.len().div_ceil(rows).max(1);
    for sample in samples.iter().step_by(step).chain(samples.last()) {
        let (tenths, seconds) = (sample.resident * 10 / 1024, sample.after.as_secs());
        let memory = format!("{}.{}", tenths / 10, tenths % 10);
        text += &format!("| {seconds} | {} | {memory} | {} |\n", sample.renewed, sample.descriptors);
    }
    text
}

fn median(samples: &[Sample], of: fn(&Sample) -> u64) -> u64 {
    let mut all: Vec<u64> = samples.iter().map(of).collect();
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or_default()
}

#[test]
fn what_grows_is_found() {
    let sample = |n: u64, grows: u64| Sample {
        after: Duration::from_secs(n),
        renewed: n,
        resident: 50_000 + n * grows,
        descriptors: 40 + n * grows / 100,
    };
    let run = |grows| (0..100).map(|n| sample(n, grows)).collect::<Vec<_>>();
    assert!(ensure_flat(&run(0), 1000, 10).is_ok());
    assert!(ensure_flat(&run(100), 1000, 1000).is_err(), "memory");
    assert!(ensure_flat(&run(100), 100_000, 10).is_err(), "descriptors");
}
