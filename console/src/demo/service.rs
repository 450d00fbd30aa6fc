//! The simulated services: which experiment each one asks, how busy it is, and what is true about its arms.

use std::collections::BTreeMap;

use bandit::experiment::ArmName;
use bandit::spec::model::ExperimentSpec;

/// A service of an imaginary shop that also shows movies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Service {
    /// Two buttons; one of them sells nearly twice as much.
    Checkout,
    /// Three prices.
    Pricing,
    /// Which methods are offered first; only some buyers are eligible.
    PaymentMethods,
    /// Recommenders, rated by those who watch.
    Movies,
}

impl Service {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [
        Self::Checkout,
        Self::Pricing,
        Self::PaymentMethods,
        Self::Movies,
    ];

    /// The experiment it asks, as `experiments.example.toml` declares it.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Checkout => "checkout_button",
            Self::Pricing => "pricing",
            Self::PaymentMethods => "payment_methods",
            Self::Movies => "movie_recommender",
        }
    }

    /// Visits a second at the usual rate. The checkout has the most: 4.5 % against 8.5 % takes about 800
    /// resolved visitors an arm until three of four looks agree, which is 30 s at this pace.
    pub(super) fn visits_per_sec(self) -> f64 {
        match self {
            Self::Checkout => 70.0,
            Self::Pricing => 40.0,
            Self::PaymentMethods => 25.0,
            Self::Movies => 35.0,
        }
    }

    /// What is true of control, then of the other arms in the order of the file: the probability that a visitor
    /// buys, or for the movies the mean rating from 1 to 5. The last value stands for any further arm.
    fn truths(self) -> &'static [f64] {
        match self {
            Self::Checkout => &[0.045, 0.085],
            Self::Pricing => &[0.10, 0.13, 0.08],
            Self::PaymentMethods => &[0.55, 0.63, 0.58],
            Self::Movies => &[3.1, 3.4, 3.6, 4.1],
        }
    }

    /// What is true of each arm of its experiment.
    pub(super) fn truth_of(self, spec: &ExperimentSpec) -> BTreeMap<ArmName, f64> {
        let control = spec.arms.iter().filter(|arm| arm.control);
        let others = spec.arms.iter().filter(|arm| !arm.control);
        let truths = self.truths();
        let truth = |place: usize| truths[place.min(truths.len() - 1)];
        let arms = control.chain(others).enumerate();
        arms.map(|(place, arm)| (arm.name.clone(), truth(place)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    fn truth(service: Service) -> BTreeMap<ArmName, f64> {
        let experiments = example::experiments().unwrap();
        let spec = experiments
            .iter()
            .find(|spec| spec.key.as_str() == service.key())
            .unwrap();
        service.truth_of(spec)
    }

    #[test]
    fn the_checkouts_new_button_sells_nearly_twice_as_much() {
        let truth = truth(Service::Checkout);
        assert_eq!((truth["green"], truth["blue"]), (0.045, 0.085));
    }

    #[test]
    fn every_arm_of_the_example_has_a_truth_of_its_own() {
        for service in Service::ALL {
            let truth = truth(service);
            assert_eq!(truth.len(), service.truths().len(), "{service:?}");
        }
    }

    #[test]
    fn all_services_together_stay_light() {
        let visits: f64 = Service::ALL.iter().map(|s| s.visits_per_sec()).sum();
        assert!(
            (100.0..=300.0).contains(&visits),
            "{visits} visits a second"
        );
    }
}
