//! Experiment files that several stories use.

/// Two arms, windows of a second, no burn-in: what is tracked is learned while the test looks.
pub(crate) const QUICK: &str = r#"
[[experiment]]
key = "story"
state = "running"
holdback = 0

[experiment.reward]
success = "conversion"
window = "1s"
grace = "0s"

[experiment.policy]
kind = "thompson"
floor = 0.05
publish_every = "0s"
burn_in = { for = "0s", exposures_per_arm = 0, rewards_per_arm = 0 }

[[experiment.guardrail]]
kind = "error_rate"
event = "failure"
limit = "1%"
action = "rollback"

[[experiment.arm]]
name = "old"
control = true
config = { color = "grey" }

[[experiment.arm]]
name = "new"
config = { color = "green" }
"#;
