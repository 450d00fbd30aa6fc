//! One simulated experiment, looked at by every rule.

use bandit::decision::{Choice, Evidence, Memory, Rules, SampleRatio, WeighedArm, decide, weigh};
use bandit::experiment::{ArmId, Millis};
use bandit::inference::{ArmPeriod, Period};
use bandit::policy::{self, ArmView};
use bandit::posterior::{ArmStats, BetaPosterior, Moments};
use bandit::probability::p_greater;
use bandit::simulate::Generator;
use bandit::spec::defaults;
use bandit::spec::model::{DecisionPreset, PolicyKind, PolicySpec};

const DAY: u64 = 24 * 60 * 60 * 1_000;
const DAYS: u64 = 28;
const UNITS_A_DAY: u64 = 2_000;

/// Outcomes between two looks of the brief's rule.
const STEP: u64 = 100;

/// What is true, and how units are split.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    /// The rate of each arm; the first is control.
    pub(crate) rates: Vec<f64>,
    /// Thompson sampling with its defaults, asked once a day, or an even split.
    pub(crate) thompson: bool,
    /// Days between two looks of `standard` and `strict`.
    pub(crate) look_every: u64,
}

/// What each rule did within the 28 days.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Ends {
    /// The first arm that `standard` ships, and the day.
    pub(crate) standard: Option<(ArmId, u64)>,
    /// Whether `standard` ever closes an arm, or all, as harmful.
    pub(crate) standard_closes: bool,
    /// The first arm that `strict` ships, and the day.
    pub(crate) strict: Option<(ArmId, u64)>,
    /// Whether the 0.95 rule with 100 samples finds a loser in a daily look.
    pub(crate) brief_daily: bool,
    /// Or in a look every 100 units.
    pub(crate) brief_often: bool,
}

/// Run `number` of this setting: the same number gives the same run.
pub(crate) fn run(setting: &Setting, number: u64) -> Ends {
    let mut chance = Generator::new(2_026, number, 0);
    let mut trial = Trial::new(setting);
    let mut ends = Ends::default();
    for day in 1..=DAYS {
        trial.start_day(day);
        for unit in 1..=UNITS_A_DAY {
            trial.unit(&mut chance);
            let looks = !ends.brief_often && unit % STEP == 0;
            ends.brief_often = ends.brief_often || (looks && trial.brief_finds_a_loser());
        }
        ends.brief_daily = ends.brief_daily || trial.brief_finds_a_loser();
        if day % setting.look_every == 0 {
            trial.look(day, &mut ends);
        }
    }
    ends
}

struct Trial<'a> {
    setting: &'a Setting,
    policy: PolicySpec,
    standard: Rules,
    strict: Rules,
    memories: [Memory; 2],
    periods: Vec<Period>,
    pooled: Vec<ArmStats>,
}

impl<'a> Trial<'a> {
    fn new(setting: &'a Setting) -> Self {
        let arms = setting.rates.len();
        let kind = if setting.thompson {
            PolicyKind::Thompson
        } else {
            PolicyKind::Fixed
        };
        let rules = |preset| Rules::new(&defaults::decision(preset), arms);
        Self {
            setting,
            policy: defaults::policy(kind),
            standard: rules(DecisionPreset::Standard),
            strict: rules(DecisionPreset::Strict),
            memories: Default::default(),
            periods: Vec::new(),
            pooled: vec![ArmStats::default(); arms],
        }
    }

    /// A day is a policy version.
    fn start_day(&mut self, day: u64) {
        let views: Vec<ArmView> = self
            .pooled
            .iter()
            .zip(0..)
            .map(|(stats, arm)| ArmView {
                id: ArmId(arm),
                control: arm == 0,
                weight: 1.0,
                stats: *stats,
                learned: Moments::from(stats),
            })
            .collect();
        let from = Millis((day - 1) * DAY);
        let published = policy::allocate(&self.policy, &views, from, |arm| arm.to_string())
            .expect("a few arms with finite counts have an allocation");
        let arms = published
            .allocation
            .iter()
            .map(|(_, propensity)| ArmPeriod {
                propensity,
                ..ArmPeriod::default()
            });
        self.periods.push(Period {
            from,
            until: Millis(day * DAY),
            arms: arms.collect(),
        });
    }

    fn unit(&mut self, chance: &mut Generator) {
        let today = self.periods.last_mut().expect("the day has begun");
        let drawn = chance.uniform();
        let mut below = 0.0;
        let arm = today.arms.iter().position(|arm| {
            below += arm.propensity;
            drawn < below
        });
        let arm = arm.unwrap_or(today.arms.len() - 1);
        let rewarded = chance.happens(self.setting.rates[arm]);
        let own = &mut today.arms[arm];
        own.assigned += 1;
        own.n += 1;
        own.sum += f64::from(u8::from(rewarded));
        own.sum_sq += f64::from(u8::from(rewarded));
        let pooled = &mut self.pooled[arm];
        pooled.assigned += 1;
        pooled.exposed += 1;
        *pooled += ArmStats::of_reward(if rewarded { 1_000_000 } else { 0 });
    }

    fn look(&mut self, day: u64, ends: &mut Ends) {
        // Both sets of rules ask for the same figures.
        let at = Millis(day * DAY);
        let evidence = evidence(&self.standard, &self.policy, &self.periods, at);
        let [standard, strict] = &mut self.memories;
        for (rules, memory, shipped) in [
            (&self.standard, standard, &mut ends.standard),
            (&self.strict, strict, &mut ends.strict),
        ] {
            let decision = decide(rules, &evidence, memory);
            if let Choice::Ship { arm } = decision.choice {
                shipped.get_or_insert((arm, day));
            }
            let harm = decision.reasons.iter().any(|reason| reason.name == "harm");
            if rules.preset == DecisionPreset::Standard && harm {
                ends.standard_closes = true;
            }
            *memory = decision.memory;
        }
    }

    /// P(worse than the leader) > 0.95 for an arm with 100 samples, over pooled counts as the brief has it.
    fn brief_finds_a_loser(&self) -> bool {
        let posteriors: Vec<BetaPosterior> = self
            .pooled
            .iter()
            .map(|stats| BetaPosterior::from_stats(defaults::PRIOR, stats))
            .collect();
        let leader = posteriors
            .iter()
            .copied()
            .max_by(|a, b| a.mean().total_cmp(&b.mean()))
            .expect("an experiment has arms");
        self.pooled.iter().zip(&posteriors).any(|(stats, &arm)| {
            stats.resolved >= 100 && arm != leader && far(leader, arm) && {
                p_greater(leader, arm).is_ok_and(|p| p > 0.95)
            }
        })
    }
}

/// Whether it is worth asking: 0.95 is at 1.64 standard errors, and at 100 units the normal approximation is not off
/// by half of one.
fn far(leader: BetaPosterior, arm: BetaPosterior) -> bool {
    let variance = |it: BetaPosterior| it.mean() * (1.0 - it.mean()) / (it.alpha + it.beta);
    let ahead = leader.mean() - arm.mean();
    ahead > 1.0 * (variance(leader) + variance(arm)).sqrt()
}

fn evidence(rules: &Rules, policy: &PolicySpec, periods: &[Period], at: Millis) -> Evidence {
    let newest = periods.last().expect("a day has passed");
    let arms: Vec<WeighedArm> = newest
        .arms
        .iter()
        .zip(0..)
        .map(|(arm, number)| WeighedArm {
            arm: ArmId(number),
            name: format!("arm-{number}"),
            control: number == 0,
            at_floor: arm.propensity <= policy.floor.get() * 1.5,
            position: usize::from(number),
        })
        .collect();
    let weighed =
        weigh(rules, &arms, periods, policy::family(policy)).expect("finite counts can be weighed");
    Evidence {
        running_for: at,
        matured_for: at,
        arms: weighed.arms,
        value_remaining: weighed.value_remaining,
        resolved_per_day: UNITS_A_DAY as f64,
        // The units were drawn with these very probabilities.
        sample_ratio: SampleRatio {
            p_value: Some(1.0),
            e_value: None,
        },
        guardrails: Vec::new(),
        late_share: 0.0,
        scale: None,
    }
}
