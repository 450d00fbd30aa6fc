//! `policy`: a word, or a section with the policy's own keys.

use crate::experiment::{Millis, Share};
use crate::spec::defaults;
use crate::spec::model::{
    BetaPrior, BurnIn, Memory, OutcomeSpec, PolicyKind, PolicySpec, PosteriorKind,
};
use crate::spec::reader::Reader;
use crate::spec::slot::Slot;

/// The keys of every policy, then the ones of a single kind.
pub(super) const KEYS: &[&str] = &[
    "kind",
    "floor",
    "control_floor",
    "max_weight",
    "posterior",
    "prior",
    "burn_in",
    "publish_every",
    "memory",
    "beta",
    "epsilon",
    "decay",
];

pub(super) const POSTERIORS: &[(&str, PosteriorKind)] = &[
    ("beta", PosteriorKind::Beta),
    ("student_t", PosteriorKind::StudentT),
];

/// The policies by their words.
#[derive(Clone, Copy, PartialEq)]
enum Word {
    Thompson,
    TopTwoThompson,
    EpsilonGreedy,
    Ucb1,
    Ucb1Tuned,
    KlUcb,
    Fixed,
}

const WORDS: &[(&str, Word)] = &[
    ("thompson", Word::Thompson),
    ("top_two_thompson", Word::TopTwoThompson),
    ("epsilon_greedy", Word::EpsilonGreedy),
    ("ucb1", Word::Ucb1),
    ("ucb1_tuned", Word::Ucb1Tuned),
    ("kl_ucb", Word::KlUcb),
    ("fixed", Word::Fixed),
];

/// The policy with this word, with its default parameters.
pub fn policy_kind(word: &str) -> Option<PolicyKind> {
    let (_, word) = WORDS.iter().find(|(known, _)| *known == word)?;
    Some(kind_of(*word, None))
}

/// Reads `policy`; Thompson unless declared. `None` if its kind cannot be read. What it leaves out depends on the
/// `outcome`, where that could be read.
pub(super) fn read(experiment: &Reader<'_>, outcome: Option<&OutcomeSpec>) -> Option<PolicySpec> {
    let of_kind = |kind| match outcome {
        Some(outcome) => defaults::policy_for(kind, outcome),
        None => defaults::policy(kind),
    };
    let Some(slot) = experiment.slot("policy") else {
        return Some(of_kind(PolicyKind::Thompson));
    };
    if slot.value().is_str() {
        return Some(of_kind(kind_of(slot.choice(WORDS)?, None)));
    }
    let table = slot.table("write policy = \"thompson\", or a section [experiment.policy]")?;
    table.only(KEYS);
    let word = table
        .slot("kind")
        .map_or(Some(Word::Thompson), |kind| kind.choice(WORDS))?;
    let mut policy = of_kind(kind_of(word, Some(&table)));
    check_foreign_keys(&table, word);
    read_limits(&table, &mut policy);
    read_posterior(&table, outcome, &mut policy);
    if let Some(burn_in) = table.slot("burn_in").and_then(|slot| read_burn_in(&slot)) {
        policy.burn_in = burn_in;
    }
    if let Some(every) = table.slot("publish_every").and_then(|slot| slot.duration()) {
        policy.publish_every = every;
    }
    policy.memory = table
        .slot("memory")
        .and_then(|slot| read_memory(&slot, word));
    Some(policy)
}

fn read_limits(table: &Reader<'_>, policy: &mut PolicySpec) {
    if let Some(floor) = table.slot("floor").and_then(|slot| slot.share()) {
        policy.floor = floor;
    }
    policy.control_floor = table
        .slot("control_floor")
        .and_then(|slot| read_control_floor(&slot, policy.floor));
    let highest = policy.control_floor.unwrap_or(policy.floor);
    policy.max_weight = table
        .slot("max_weight")
        .and_then(|slot| read_max_weight(&slot, highest));
}

fn read_posterior(table: &Reader<'_>, outcome: Option<&OutcomeSpec>, policy: &mut PolicySpec) {
    if let Some(slot) = table.slot("posterior")
        && let Some(posterior) = slot.choice(POSTERIORS)
    {
        if posterior == PosteriorKind::StudentT
            && matches!(outcome, Some(OutcomeSpec::Binary { .. }))
        {
            slot.problem(
                "is \"student_t\", which is for scaled rewards",
                "remove it: rewards of 0 and 1 have exact Beta posteriors",
            );
        }
        policy.posterior = posterior;
    }
    if let Some(prior) = table.slot("prior").and_then(|slot| read_prior(&slot)) {
        policy.prior = prior;
    }
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
            decay: table
                .and_then(|table| table.slot("decay"))
                .and_then(|slot| slot.flag())
                .unwrap_or_default(),
        },
        Word::Ucb1 => PolicyKind::Ucb1,
        Word::Ucb1Tuned => PolicyKind::Ucb1Tuned,
        Word::KlUcb => PolicyKind::KlUcb,
        Word::Fixed => PolicyKind::Fixed,
    }
}

fn check_foreign_keys(table: &Reader<'_>, word: Word) {
    for (key, owner, name) in [
        ("beta", Word::TopTwoThompson, "top_two_thompson"),
        ("epsilon", Word::EpsilonGreedy, "epsilon_greedy"),
        ("decay", Word::EpsilonGreedy, "epsilon_greedy"),
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

fn read_control_floor(slot: &Slot<'_>, floor: Share) -> Option<Share> {
    let least = slot.share()?;
    if least < floor {
        slot.problem(
            format!("is {least}, below the floor of {floor} that every arm has"),
            "raise it, or lower the floor",
        );
        return None;
    }
    Some(least)
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
