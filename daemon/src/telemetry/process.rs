//! What the kernel says about this process, read when somebody looks at the metrics.

use std::fs;

/// `/proc` counts processor time in ticks of 1/100 s on every Linux architecture we build for (`USER_HZ`).
const TICKS_PER_SEC: f64 = 100.0;

/// Publishes `process_*`.
pub(super) fn publish() {
    if let Some(bytes) = resident_bytes() {
        metrics::gauge!("process_resident_memory_bytes").set(bytes);
    }
    if let Ok(descriptors) = fs::read_dir("/proc/self/fd") {
        metrics::gauge!("process_open_fds").set(descriptors.count() as f64);
    }
    if let Some(seconds) = processor_seconds() {
        // Whole seconds: the counter of this library counts integers.
        metrics::counter!("process_cpu_seconds_total").absolute(seconds as u64);
    }
}

fn resident_bytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024.0)
}

/// User and system time are the 14th and 15th field; the second one, in brackets, may hold spaces.
fn processor_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SEC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_memory_and_processor_time() {
        assert!(resident_bytes().unwrap() > 100_000.0);
        assert!(processor_seconds().unwrap() >= 0.0);
    }
}
