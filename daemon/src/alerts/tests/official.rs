//! The libraries that receivers of webhooks have: the Python index's and npm's `standardwebhooks` check what we signed.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use uuid::Uuid;

use super::sink::Sink;
use super::site::SECRET;
use crate::alerts::lifecycle::{Notice, Severity};
use crate::alerts::message::{Told, Word};
use crate::alerts::webhook::Webhook;
use crate::clock::Clock;
use crate::config::Secret;
use crate::store::alerts::deliveries::{Attempt, Claimed};

const PAYLOADS: u32 = 1_000;

/// Any characters but surrogates, which no text has: quotes, controls, emoji, right to left.
fn text(rng: &mut StdRng) -> String {
    let length = rng.random_range(0..200);
    let any = (0..length).map(|_| match rng.random_range(0..4) {
        0 => rng.random::<char>(),
        1 => rng.random_range('\0'..' '),
        _ => rng.random_range(' '..'~'),
    });
    any.collect()
}

fn claimed(rng: &mut StdRng, at: chrono::DateTime<chrono::Utc>) -> Claimed {
    let told = Told {
        id: Uuid::from_u128(rng.random()),
        number: rng.random(),
        identity: text(rng),
        experiment: rng.random::<bool>().then(|| text(rng)),
        source: text(rng),
        arm: rng.random::<bool>().then(|| text(rng)),
        severity: Severity::Critical,
        summary: text(rng),
        detail: json!({ text(rng): rng.random::<f64>(), "nested": [text(rng), null] }),
        opened_at: at,
        flaps: rng.random(),
        notice: None,
    };
    Claimed {
        id: Uuid::from_u128(rng.random()),
        attempt: 1,
        word: Word {
            notice: Notice::Firing,
            at,
            count: 1,
            alerts: vec![told],
        },
    }
}

/// Runs `program` on `lines` and reads what it found.
fn verified(program: &str, script: &str, lines: &str) -> Value {
    let script = format!(
        "{}/../tests/data/alerts/{script}",
        env!("CARGO_MANIFEST_DIR")
    );
    let mut child = Command::new(program)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(lines.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).expect("it says what it found")
}

#[tokio::test]
#[ignore = "needs standardwebhooks of PyPI in PYTHONPATH, and of npm in NODE_PATH; .ci/run brings both and runs it"]
async fn a_thousand_random_payloads_are_verified_by_the_official_libraries() {
    let sink = Sink::start([]).await;
    let url = Secret::new(sink.url().parse().unwrap());
    let other = "whsec_Zm9yIGEgd2hpbGUgdGhlcmUgYXJlIHR3byBvZiB0aGVt";
    let secrets = Secret::new(vec![other.to_owned(), SECRET.to_owned()]);
    let webhook = Webhook::new(&url, &secrets, true, Duration::from_secs(10));
    let mut rng = StdRng::seed_from_u64(7);
    let now = Clock::system().now();
    for _ in 0..PAYLOADS {
        let claimed = claimed(&mut rng, now);
        let sent = webhook.send(&claimed, "test", now).await;
        assert_eq!(sent, Attempt::Delivered);
    }
    let lines: Vec<String> = sink
        .got()
        .iter()
        .map(|got| json!({ "secret": SECRET, "headers": got.headers, "body": got.body }))
        .map(|line| line.to_string())
        .collect();
    let lines = lines.join("\n");
    let all = json!({ "good": PAYLOADS, "forged": 0 });
    assert_eq!(verified("python3", "verify.py", &lines), all);
    assert_eq!(verified("node", "verify.mjs", &lines), all);
}
