//! `policy`: a word, or a section with the policy's own keys.

use crate::experiment::{Millis, Share};
use crate::spec::defaults;
use crate::spec::model::{BetaPrior, BurnIn, Memory, PolicyKind, PolicySpec};
use crate::spec::reader::Reader;
use crate::spec::slot::Slot;

/// The keys of every policy, then the ones of a single kind.
pub(super) const KEYS: &[&str] = &[
    "kind",
    "floor",
    "max_weight",
    "prior",
    "burn_in",
    "publish_every",
    "memory",
    "beta",
    "epsilon",
];

/// The policies by their words.
#[derive(Clone, Copy, PartialEq)]
enum Word {
    Thompson,
    TopTwoThompson,
    EpsilonGreedy,
    Ucb1,
    Fixed,
}

const WORDS: &[(&str, Word)] = &[
    ("thompson", Word::Thompson),
    ("top_two_thompson", Word::TopTwoThompson),
    ("epsilon_greedy", Word::EpsilonGreedy),
    ("ucb1", Word::Ucb1),
    ("fixed", Word::Fixed),
];

/// Reads `policy`; Thompson unless declared. `None` if its kind cannot be read.
pub(super) fn read(experiment: &Reader<'_>) -> Option<PolicySpec> {
    let Some(slot) = experiment.slot("policy") else {
        return Some(defaults::policy(PolicyKind::Thompson));
    };
    if slot.value().is_str() {
        return Some(defaults::policy(kind_of(slot.choice(WORDS)?, None)));
    }
    let table = slot.table("write policy = \"thompson\", or a section [experiment.policy]")?;
    table.only(KEYS);
    let word = table
        .slot("kind")
        .map_or(Some(Word::Thompson), |kind| kind.choice(WORDS))?;
    Some(read_table(&table, word))
}

fn read_table(table: &Reader<'_>, word: Word) -> PolicySpec {
    let mut policy = defaults::policy(kind_of(word, Some(table)));
    check_foreign_keys(table, word);
    if let Some(floor) = table.slot("floor").and_then(|slot| slot.share()) {
        policy.floor = floor;
    }
    policy.max_weight = table
        .slot("max_weight")
        .and_then(|slot| read_max_weight(&slot, policy.floor));
    if let Some(prior) = table.slot("prior").and_then(|slot| read_prior(&slot)) {
        policy.prior = prior;
    }
    if let Some(burn_in) = table.slot("burn_in").and_then(|slot| read_burn_in(&slot)) {
        policy.burn_in = burn_in;
    }
    if let Some(every) = table.slot("publish_every").and_then(|slot| slot.duration()) {
        policy.publish_every = every;
    }
    policy.memory = table
        .slot("memory")
        .and_then(|slot| read_memory(&slot, word));
    policy
}

fn kind_of(word: Word, table: Option<&Reader<'_>>) -> PolicyKind {
    let share = |key: &str| {
        table
            .and_then(|table| table.slot(key))
            .and_then(|slot| slot.share())
    };
    match word {
        Word::Thompson => PolicyKind::Thompson,
        Word::TopTwoThompson => PolicyKind::TopTwoThompson {
            beta: share("beta").unwrap_or_else(defaults::top_two_beta),
        },
        Word::EpsilonGreedy => PolicyKind::EpsilonGreedy {
            epsilon: share("epsilon").unwrap_or_else(defaults::epsilon),
        },
        Word::Ucb1 => PolicyKind::Ucb1,
        Word::Fixed => PolicyKind::Fixed,
    }
}

fn check_foreign_keys(table: &Reader<'_>, word: Word) {
    for (key, owner, name) in [
        ("beta", Word::TopTwoThompson, "top_two_thompson"),
        ("epsilon", Word::EpsilonGreedy, "epsilon_greedy"),
    ] {
        if let Some(slot) = table.slot(key)
            && word != owner
        {
            slot.problem_named(
                format!("belongs to the policy \"{name}\""),
                format!("remove it, or write kind = \"{name}\""),
            );
        }
    }
}

fn read_max_weight(slot: &Slot<'_>, floor: Share) -> Option<Share> {
    let most = slot.share()?;
    if most <= floor {
        slot.problem(
            format!("is {most}, not above the floor of {floor}"),
            "raise it, or lower the floor",
        );
        return None;
    }
    Some(most)
}

fn read_prior(slot: &Slot<'_>) -> Option<BetaPrior> {
    let table = slot.table("write prior = { alpha = 1, beta = 1 }")?;
    table.only(&["alpha", "beta"]);
    let part = |key: &str| {
        table
            .required(key, "write prior = { alpha = 1, beta = 1 }")
            .and_then(|slot| slot.positive())
    };
    let (alpha, beta) = (part("alpha"), part("beta"));
    Some(BetaPrior {
        alpha: alpha?,
        beta: beta?,
    })
}

fn read_burn_in(slot: &Slot<'_>) -> Option<BurnIn> {
    let table = slot.table(
        "write burn_in = { for = \"1h\", exposures_per_arm = 100, rewards_per_arm = 100 }",
    )?;
    table.only(&["for", "exposures_per_arm", "rewards_per_arm"]);
    let for_ = table.slot("for").map(|slot| slot.duration());
    let exposures = table.slot("exposures_per_arm").map(|slot| slot.whole());
    let rewards = table.slot("rewards_per_arm").map(|slot| slot.whole());
    Some(BurnIn {
        for_: for_.unwrap_or(Some(defaults::BURN_IN.for_))?,
        exposures_per_arm: exposures.unwrap_or(Some(defaults::BURN_IN.exposures_per_arm))?,
        rewards_per_arm: rewards.unwrap_or(Some(defaults::BURN_IN.rewards_per_arm))?,
    })
}

fn read_memory(slot: &Slot<'_>, word: Word) -> Option<Memory> {
    const HOW: &str = "write memory = { window = \"14d\" } or memory = { half_life = \"7d\" }";
    let table = slot.table(HOW)?;
    table.only(&["window", "half_life"]);
    if word == Word::Fixed {
        slot.problem_named("has no effect: a fixed split learns nothing", "remove it");
        return None;
    }
    let (memory, length) = match (table.slot("window"), table.slot("half_life")) {
        (Some(window), None) => (Memory::Window as fn(Millis) -> Memory, window),
        (None, Some(half_life)) => (Memory::HalfLife as fn(Millis) -> Memory, half_life),
        _ => {
            slot.problem("names not exactly one of `window` and `half_life`", HOW);
            return None;
        }
    };
    let read = length.duration()?;
    if read.0 == 0 {
        length.problem("is empty: nothing would ever be remembered", HOW);
        return None;
    }
    Some(memory(read))
}
