//! A daemon's vital signs: memory, open files, metrics series.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

use crate::http::Http;

/// One look.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Vitals {
    /// Resident memory, in bytes.
    pub rss: u64,
    /// Open files and sockets.
    pub files: u64,
    /// Lines of `/metrics` that are not comments.
    pub series: u64,
}

/// Looks at the process `pid`, whose admin port is `admin`.
pub async fn look(pid: u32, admin: SocketAddr) -> anyhow::Result<Vitals> {
    let metrics = metrics(admin).await?;
    Ok(Vitals {
        rss: rss(pid)?,
        files: std::fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64,
        series: metrics
            .lines()
            .filter(|line| !line.starts_with('#'))
            .count() as u64,
    })
}

/// Resident memory of the process, in bytes.
pub fn rss(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    Ok(kib.context("the kernel tells how much memory is resident")? * 1024)
}

/// The text of `/metrics`.
pub async fn metrics(admin: SocketAddr) -> anyhow::Result<String> {
    let asked = async {
        let mut http = Http::connect(&admin.to_string()).await?;
        anyhow::Ok(http.get("/metrics").await?.text)
    };
    // 5 s: longer than a scraper waits.
    tokio::time::timeout(Duration::from_secs(5), asked)
        .await
        .context("asking for /metrics")?
}

/// The sum of all series of `name` in the text of `/metrics`.
pub fn metric(text: &str, name: &str) -> f64 {
    let of = |line: &&str| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with([' ', '{']))
    };
    let value = |line: &str| line.rsplit(' ').next()?.parse::<f64>().ok();
    text.lines().filter(of).filter_map(value).sum()
}

/// The slope of the line of least squares through `(x, y)`, in y per x.
pub fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len().max(1) as f64;
    let mean_x = points.iter().map(|point| point.0).sum::<f64>() / n;
    let mean_y = points.iter().map(|point| point.1).sum::<f64>() / n;
    let with_y: f64 = points
        .iter()
        .map(|(x, y)| (x - mean_x) * (y - mean_y))
        .sum();
    let with_x: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    if with_x == 0.0 { 0.0 } else { with_y / with_x }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_slope_and_a_metric_its_sum() {
        let line: Vec<(f64, f64)> = (0..9).map(f64::from).map(|x| (x, 3.0 - 2.0 * x)).collect();
        assert!((slope(&line) + 2.0).abs() < 1e-12);
        let text = "# TYPE a gauge\na{x=\"1\"} 2\na{x=\"2\"} 3\nab 7\na 1\n";
        assert!((metric(text, "a") - 6.0).abs() < 1e-12);
    }
}
