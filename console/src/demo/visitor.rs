//! Who visits: made from a seed and a number, so that the same visitor comes back the same.

use bandit::spec::model::Attributes;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use super::service::Service;

/// Countries with their weight; `payment_methods` is for the first three only.
const COUNTRIES: [(&str, u32); 6] = [
    ("SN", 40),
    ("CI", 25),
    ("ML", 15),
    ("FR", 12),
    ("US", 6),
    ("JP", 2),
];

const LANGUAGES: [(&str, u32); 4] = [("fr", 60), ("en", 25), ("wo", 13), ("xx", 2)];

const DEVICES: [(&str, u32); 4] = [
    ("android-14", 45),
    ("android-11", 20),
    ("ios-18", 20),
    ("web", 15),
];

/// Units whose payments are looked at by people; they are in no payment experiment.
const ON_HOLD: f64 = 0.02;

/// One person at one service.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Visitor {
    /// Its number.
    pub number: u64,
    /// The id the service sends.
    pub unit: String,
    /// What the service knows about it.
    pub attributes: Attributes,
}

/// The `number`th visitor of a service.
pub(super) fn visitor(seed: u64, service: Service, number: u64) -> Visitor {
    let mut rng = rng(seed, service, number, Purpose::Who);
    let transactions: u32 = rng.random_range(0..60);
    let amount: f64 = rng.random_range(0.5..300.0);
    let mut attributes = named([
        ("country", json!(pick(&mut rng, &COUNTRIES))),
        ("language", json!(pick(&mut rng, &LANGUAGES))),
        ("device", json!(pick(&mut rng, &DEVICES))),
        ("txn", json!(transactions)),
        ("amount", json!(cents(amount))),
    ]);
    if rng.random_bool(ON_HOLD) {
        attributes.insert("fraud_hold".to_owned(), json!(true));
    }
    Visitor {
        number,
        unit: format!("{}-{seed}-{number}", service.key()),
        attributes,
    }
}

fn named<const N: usize>(pairs: [(&str, Value); N]) -> Attributes {
    let owned = pairs.map(|(name, value)| (name.to_owned(), value));
    Attributes::from(owned)
}

/// An amount as people pay it: two decimals.
pub(super) fn cents(amount: f64) -> f64 {
    (amount * 100.0).round() / 100.0
}

fn pick(rng: &mut StdRng, weighted: &[(&'static str, u32)]) -> &'static str {
    let total: u32 = weighted.iter().map(|(_, weight)| weight).sum();
    let mut left = rng.random_range(0..total);
    for (name, weight) in weighted {
        if left < *weight {
            return name;
        }
        left -= weight;
    }
    weighted[0].0
}

/// What a random sequence is for: who somebody is must not depend on what they do.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// Attributes.
    Who = 1,
    /// Purchases, ratings, delays.
    What = 2,
    /// Arrivals.
    When = 3,
}

/// The random sequence of one visitor, or of one worker, for one purpose.
pub(super) fn rng(seed: u64, service: Service, number: u64, purpose: Purpose) -> StdRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    bytes[16] = service as u8;
    bytes[17] = purpose as u8;
    StdRng::from_seed(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitor_who_returns_is_the_same_and_no_other() {
        let first = visitor(7, Service::Pricing, 3);
        assert_eq!(first, visitor(7, Service::Pricing, 3));
        assert_ne!(first.unit, visitor(7, Service::Pricing, 4).unit);
        assert_ne!(first.unit, visitor(8, Service::Pricing, 3).unit);
        assert_ne!(first.unit, visitor(7, Service::Movies, 3).unit);
    }

    #[test]
    fn some_buyers_are_not_eligible_for_the_payment_experiment() {
        let experiments = super::super::example::experiments().unwrap();
        let payment = experiments
            .iter()
            .find(|spec| spec.key.as_str() == Service::PaymentMethods.key())
            .unwrap();
        let eligible = (0..2_000)
            .map(|number| visitor(1, Service::PaymentMethods, number))
            .filter(|visitor| payment.targeting.matches(&visitor.attributes))
            .count();
        assert!((800..1_400).contains(&eligible), "{eligible} of 2000");
    }
}
