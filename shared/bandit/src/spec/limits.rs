//! How large a file and its parts may be.

use std::ops::RangeInclusive;

use crate::experiment::Millis;

/// Bytes of a file. A plan travels in one control frame of at most 1 MiB together with its envelope; a file of
/// 1,000 richly commented experiments has about 600 KiB.
pub const MAX_FILE_BYTES: usize = 1 << 20;

/// Experiments of one file; also what the console's plan screen is laid out for.
pub const MAX_EXPERIMENTS: usize = 1_000;

/// Problems reported of one file; a person corrects the first screen and asks again.
pub const MAX_PROBLEMS: usize = 200;

/// Bytes of one arm's configuration as compact JSON: it is in every answer to `assign`.
pub const MAX_CONFIG_BYTES: usize = 16 * 1024;

/// Objects and lists inside each other in an arm's configuration: far below the limits of the callers' JSON
/// parsers, far above what a configuration needs.
pub const MAX_CONFIG_DEPTH: usize = 16;

/// Bytes of a name, a title, an owner, a salt, an event or an attribute: one line of a screen.
pub const MAX_LINE_BYTES: usize = 128;

/// Bytes of a description: one screen.
pub const MAX_DESCRIPTION_BYTES: usize = 4 * 1024;

/// Attributes of one targeting section; each is looked at on every first sight of a unit.
pub const MAX_ATTRIBUTES: usize = 64;

/// Values of one matcher; countries of the world fit four times.
pub const MAX_VALUES: usize = 1_000;

/// Learning lanes of one experiment: each needs units enough to learn from alone, and costs a computation of its
/// split a second.
pub const MAX_LANES: usize = 8;

/// Guardrails of one experiment; every one is evaluated every 30 s.
pub const MAX_GUARDRAILS: usize = 32;

/// How much a guardrail may judge at a time, in steps of the least.
pub const GUARDRAIL_WINDOWS: RangeInclusive<Millis> = Millis(60_000)..=Millis(86_400_000);

/// How often a guardrail may be judged.
pub const GUARDRAIL_CADENCES: RangeInclusive<Millis> = Millis(5_000)..=Millis(3_600_000);

/// Events of one reward, successes and negatives each.
pub const MAX_REWARD_EVENTS: usize = 32;

/// Steps of one ramp.
pub const MAX_RAMP_STEPS: usize = 32;

/// The longest attribution window and the longest grace: open windows are rows that wait.
pub const MAX_WINDOW: Millis = Millis(90 * 86_400_000);

/// The longest of all other lengths of time.
pub const MAX_DURATION: Millis = Millis(3_650 * 86_400_000);

/// Events of one unit that a file may ask to look at: all of them are loaded at each of its outcomes.
pub const MAX_EVENTS_PER_UNIT: u64 = 10_000;
