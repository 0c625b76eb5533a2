//! How much memory this process has had at most.

use std::time::Instant;

use super::Done;

/// How much memory a process may have, however large the take is.
const MOST_MIB: u64 = 300;

/// Tells what was done, and how much memory this process has had at most so far.
pub(crate) fn report(what: &str, started: Instant, lines: usize) -> Done<()> {
    let elapsed = started.elapsed();
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|peak| peak.trim().strip_suffix(" kB"))
        .ok_or("the system does not tell the peak of memory")?
        .parse()?;
    let peak = peak / 1_024;
    let each = elapsed / u32::try_from(lines.max(1))?;
    println!("{what}: {lines} lines in {elapsed:.1?} ({each:.1?} each), peak of memory {peak} MiB");
    if peak > MOST_MIB {
        return Err(format!("more than {MOST_MIB} MiB").into());
    }
    Ok(())
}
