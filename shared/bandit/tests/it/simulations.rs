//! Simulated experiments: the same bits for the same seed, shares that are shares, and regret that adds up.

use bandit::experiment::Millis;
use bandit::simulate::{Endings, Mean, Run, Scenario, Simulation, Summary, Truth};
use bandit::spec::{self, model::ExperimentSpec};
use proptest::prelude::*;

use crate::common::same_cases;

/// An experiment with these arms; `more` holds its reward, if that is not the usual one, and whatever else.
fn experiment(arms: usize, more: &str) -> ExperimentSpec {
    let names: Vec<String> = (0..arms).map(|arm| format!("\"arm-{arm}\"")).collect();
    let reward = if more.contains("reward]") {
        ""
    } else {
        "reward = \"purchase\""
    };
    let text = format!(
        "[[experiment]]\nkey = \"pricing\"\ncontrol = \"arm-0\"\narms = [{}]\n{reward}\n{more}",
        names.join(", ")
    );
    spec::parse("test.toml", &text)
        .unwrap_or_else(|problems| panic!("{problems:?}\n{text}"))
        .experiments
        .remove(0)
}

fn scenario(units_per_day: u64, days: u32) -> Scenario {
    Scenario {
        units_per_day,
        days,
        publish_every: Millis(3_600_000),
        points: 14,
    }
}

fn runs(simulation: &Simulation<'_>, count: u64) -> Vec<Run> {
    (0..count)
        .map(|number| simulation.run(number).unwrap())
        .collect()
}

fn summary_of(simulation: &Simulation<'_>, count: u64) -> Summary {
    let mut summary = Summary::new(simulation);
    for run in runs(simulation, count) {
        summary.add(simulation.truth(), &run);
    }
    summary
}

fn close(got: Mean, want: f64) {
    let se = got.se().unwrap();
    assert!(
        (got.mean() - want).abs() < 4.0 * se,
        "{got:?} is not {want}"
    );
}

#[test]
fn the_same_number_gives_the_same_run_whatever_was_run_before() {
    let spec = experiment(3, "traffic = 0.5\n");
    let truth = Truth::new(&spec.reward, &[0.1, 0.12, 0.2], None).unwrap();
    let simulation = Simulation::new(&spec, &truth, scenario(2_000, 7), 42).unwrap();
    let forth = runs(&simulation, 4);
    let back: Vec<Run> = (0..4)
        .rev()
        .map(|run| simulation.run(run).unwrap())
        .collect();
    assert!(forth.iter().eq(back.iter().rev()));
    assert_ne!(forth[0], forth[1]);
    let other = Simulation::new(&spec, &truth, scenario(2_000, 7), 43).unwrap();
    assert_ne!(other.run(0).unwrap(), forth[0]);
}

#[test]
fn an_even_split_has_the_regret_of_the_closed_form() {
    let spec = experiment(4, "policy = \"fixed\"\n");
    let rates = [0.05, 0.055, 0.06, 0.065];
    let truth = Truth::new(&spec.reward, &rates, None).unwrap();
    let simulation = Simulation::new(&spec, &truth, scenario(5_000, 4), 1).unwrap();
    let summary = summary_of(&simulation, 60);
    assert_eq!(summary.total.participants.mean(), 20_000.0);
    assert!((summary.total.even_regret.mean() - 20_000.0 * 0.0075).abs() < 1e-9);
    close(summary.total.regret, 20_000.0 * 0.0075);
    close(summary.total.reward, 20_000.0 * 0.0575);
    let main = &summary.lanes[1];
    assert_eq!(main.versions.mean(), 1.0);
    let shares = main.shares.iter().flatten();
    assert!(shares.map(Mean::mean).all(|share| share == 0.25));
    close(main.figures.participants, 20_000.0 * 0.95);
}

#[test]
fn a_learning_lane_moves_to_the_best_arm_and_the_holdback_stays_even() {
    let spec = experiment(2, "");
    let truth = Truth::new(&spec.reward, &[0.05, 0.10], None).unwrap();
    let simulation = Simulation::new(&spec, &truth, scenario(2_000, 14), 7).unwrap();
    let summary = summary_of(&simulation, 10);
    let (holdback, main) = (&summary.lanes[0], &summary.lanes[1]);
    assert!(main.best_share.mean() > 0.97, "{:?}", main.best_share);
    assert!(main.versions.mean() > 10.0);
    // no reward is known before the first window and its grace have passed
    for shares in &main.shares[..2] {
        assert!(shares.iter().all(|share| share.mean() == 0.5));
    }
    assert_eq!(holdback.best_share.mean(), 0.5);
    assert_eq!(holdback.best_share.se(), Some(0.0));
    let total = &summary.total;
    assert!(total.regret.mean() < 0.3 * total.even_regret.mean());
}

#[test]
fn every_run_has_one_end_and_a_clear_winner_is_shipped() {
    let spec = experiment(3, "policy = \"fixed\"\n");
    let truth = Truth::new(&spec.reward, &[0.05, 0.05, 0.07], None).unwrap();
    let simulation = Simulation::new(&spec, &truth, scenario(6_000, 15), 5).unwrap();
    let Endings {
        ship,
        kill,
        iterate,
        keep_running,
        close: _,
    } = summary_of(&simulation, 12).endings;
    let others = [kill, iterate].map(|end| end.share.mean());
    let shipped: f64 = ship.iter().map(|end| end.share.mean()).sum();
    let all = shipped + others.iter().sum::<f64>() + keep_running.share.mean();
    assert!((all - 1.0).abs() < 1e-12, "{all}");
    assert!(ship[2].share.mean() > 0.9, "{ship:?}");
    // by the rule for overwhelming evidence, which needs outcomes: none resolves on the first day
    assert!(ship[2].days.mean() >= 2.0, "{ship:?}");
}

#[test]
fn equal_arms_are_rarely_shipped_and_control_never() {
    let spec = experiment(2, "decision = \"standard\"\n");
    let truth = Truth::new(&spec.reward, &[0.05, 0.05], None).unwrap();
    let simulation = Simulation::new(&spec, &truth, scenario(2_000, 22), 5).unwrap();
    let ship = summary_of(&simulation, 20).endings.ship;
    assert_eq!(ship[0].share.mean(), 0.0);
    assert!(ship[1].share.mean() <= 0.1, "{ship:?}");
}

#[test]
fn burn_in_floor_and_window_of_the_file_are_kept() {
    let spec = experiment(
        2,
        "holdback = 0\n[experiment.policy]\nkind = \"thompson\"\nfloor = 0.1\n\
         burn_in = { for = \"3d\", exposures_per_arm = 1, rewards_per_arm = 1 }\n",
    );
    let truth = Truth::new(&spec.reward, &[0.0, 1.0], None).unwrap();
    let simulation = Simulation::new(&spec, &truth, scenario(100, 7), 7).unwrap();
    let run = simulation.run(0).unwrap();
    let shares = &run.lanes[0].shares;
    assert_eq!(simulation.points()[5], Millis(5 * 43_200_000));
    assert_eq!(shares[5], [0.5, 0.5]);
    assert!((shares[6][0] - 0.1).abs() < 1e-6, "{:?}", shares[6]);
}

#[test]
fn scaled_rewards_have_the_declared_mean_and_spread() {
    let spec = experiment(2, "").reward;
    for (direction, want) in [("increase", 0.375), ("decrease", 0.625)] {
        let section = format!(
            "[experiment.reward]\nscaled = {{ event = \"rating\", min = 1, max = 5 }}\ndirection = \"{direction}\"\n"
        );
        let scaled = experiment(2, &section).reward;
        let truth = Truth::new(&scaled, &[2.5, 4.0], Some(0.8)).unwrap();
        assert_eq!((truth.mean(0), truth.unit()), (want, 4.0));
        assert_eq!(truth.value(10.0, 10.0 * want), 25.0);
        assert_eq!(truth.is_best(1), direction == "increase");
        let mut generator = bandit::simulate::Generator::new(1, 0, 0);
        let draws: Vec<f64> = (0..50_000)
            .map(|_| f64::from(truth.draw(0, &mut generator)) / 1e6)
            .collect();
        close(draws.iter().copied().collect(), want);
        close(draws.iter().map(|x| (x - want).powi(2)).collect(), 0.04);
        for (means, sd) in [
            ([0.9, 2.0], 0.5),
            ([2.0, 5.1], 0.5),
            ([2.0, 3.0], 3.0),
            ([2.0, 3.0], -1.0),
            ([f64::NAN, 3.0], 0.5),
        ] {
            assert!(Truth::new(&scaled, &means, Some(sd)).is_err());
        }
        assert!(Truth::new(&scaled, &[2.0, 3.0], None).is_err());
    }
    assert!(Truth::new(&spec, &[0.5, 1.5], None).is_err());
    assert!(Truth::new(&spec, &[0.5, 0.5], Some(0.1)).is_err());
    assert!(Truth::new(&spec, &[0.5, 0.5], None).unwrap().is_even());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..same_cases() })]

    #[test]
    fn shares_are_whole_and_regret_is_never_negative(
        rates in prop::collection::vec(0.0..=1.0_f64, 2..5),
        traffic in 0.2..=1.0_f64,
        units in 50..800_u64,
        seed in any::<u64>(),
    ) {
        let spec = experiment(rates.len(), &format!("traffic = {traffic}\n"));
        let truth = Truth::new(&spec.reward, &rates, None).unwrap();
        let simulation = Simulation::new(&spec, &truth, scenario(units, 3), seed).unwrap();
        let run = simulation.run(0).unwrap();
        let participants: u64 = run.lanes.iter().map(bandit::simulate::LaneRun::participants).sum();
        prop_assert!(participants <= simulation.units());
        prop_assert!(run.regret(&truth) >= 0.0);
        for lane in &run.lanes {
            prop_assert_eq!(lane.shares.len(), simulation.points().len());
            for shares in &lane.shares {
                prop_assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            }
            prop_assert!(lane.regret.is_sorted());
            prop_assert!(*lane.regret.last().unwrap() <= lane.final_regret(&truth) + 1e-9);
        }
    }
}
