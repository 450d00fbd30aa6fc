//! One probability per open arm: what a published policy version serves with.

mod limits;

use serde::{Deserialize, Serialize};

use crate::experiment::ArmId;

pub use limits::Limits;

/// Rounding of a sum of at most 64 probabilities stays three orders of magnitude below this.
const SUM_TOLERANCE: f64 = 1e-12;

/// The probability with which each open arm is drawn, by ascending arm number.
///
/// The probabilities are in `0..=1` and sum to 1 within 1e-12. An arm that is not listed is closed: nobody draws it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(ArmId, f64)>", into = "Vec<(ArmId, f64)>")]
pub struct Allocation(Vec<(ArmId, f64)>);

/// Why a list of probabilities is not an allocation.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum InvalidAllocation {
    /// There is no arm to draw.
    #[error("an allocation needs at least one open arm")]
    NoArms,
    /// An arm comes twice, or after a greater one.
    #[error("arm {0} is out of order: list each open arm once, by ascending number")]
    OutOfOrder(ArmId),
    /// A number that is not a probability.
    #[error("arm {arm} has {probability}, which is not a probability in 0..=1")]
    NotAProbability {
        /// Whose.
        arm: ArmId,
        /// The number.
        probability: f64,
    },
    /// The probabilities do not make a whole.
    #[error("the probabilities sum to {0}, not to 1")]
    NotAWhole(f64),
}

impl Allocation {
    /// The probabilities of the open arms, by ascending arm number.
    pub fn new(arms: Vec<(ArmId, f64)>) -> Result<Self, InvalidAllocation> {
        if arms.is_empty() {
            return Err(InvalidAllocation::NoArms);
        }
        if let Some(pair) = arms.windows(2).find(|pair| pair[0].0 >= pair[1].0) {
            return Err(InvalidAllocation::OutOfOrder(pair[1].0));
        }
        for &(arm, probability) in &arms {
            if !(0.0..=1.0).contains(&probability) {
                return Err(InvalidAllocation::NotAProbability { arm, probability });
            }
        }
        let sum: f64 = arms.iter().map(|&(_, probability)| probability).sum();
        if (sum - 1.0).abs() > SUM_TOLERANCE {
            return Err(InvalidAllocation::NotAWhole(sum));
        }
        Ok(Self(arms))
    }

    /// The same probability for each of the `open` arms, which come by ascending number.
    pub fn even(open: &[ArmId]) -> Result<Self, InvalidAllocation> {
        let share = 1.0 / open.len().max(1) as f64;
        Self::new(open.iter().map(|&arm| (arm, share)).collect())
    }

    /// The probability of drawing `arm`; 0 for an arm that is not open.
    pub fn get(&self, arm: ArmId) -> f64 {
        self.0
            .binary_search_by_key(&arm, |&(id, _)| id)
            .map_or(0.0, |at| self.0[at].1)
    }

    /// Each open arm and its probability, by ascending arm number.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (ArmId, f64)> + '_ {
        self.0.iter().copied()
    }

    /// The open arms, by ascending number.
    pub fn arms(&self) -> impl ExactSizeIterator<Item = ArmId> + '_ {
        self.0.iter().map(|&(arm, _)| arm)
    }

    /// How many arms are open; at least 1.
    #[expect(clippy::len_without_is_empty, reason = "an allocation is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The greatest change of any arm's probability from `self` to `next`, in `0..=1`; an arm that is not open has 0.
    pub fn distance(&self, next: &Self) -> f64 {
        let forth = self
            .iter()
            .map(|(arm, probability)| (next.get(arm) - probability).abs());
        let back = next
            .iter()
            .map(|(arm, probability)| (self.get(arm) - probability).abs());
        forth.chain(back).fold(0.0, f64::max)
    }
}

impl TryFrom<Vec<(ArmId, f64)>> for Allocation {
    type Error = InvalidAllocation;

    fn try_from(arms: Vec<(ArmId, f64)>) -> Result<Self, InvalidAllocation> {
        Self::new(arms)
    }
}

impl From<Allocation> for Vec<(ArmId, f64)> {
    fn from(allocation: Allocation) -> Self {
        allocation.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_nobody_could_draw_from() {
        let of = |arms: &[(u16, f64)]| {
            Allocation::new(arms.iter().map(|&(arm, p)| (ArmId(arm), p)).collect())
        };
        assert_eq!(of(&[]), Err(InvalidAllocation::NoArms));
        assert_eq!(
            of(&[(1, 0.5), (1, 0.5)]),
            Err(InvalidAllocation::OutOfOrder(ArmId(1)))
        );
        assert_eq!(
            of(&[(0, 0.5), (1, 0.4)]),
            Err(InvalidAllocation::NotAWhole(0.9))
        );
        assert!(of(&[(0, 1.5), (1, -0.5)]).is_err());
        assert!(of(&[(0, f64::NAN), (1, 1.0)]).is_err());
        assert!(of(&[(0, 0.25), (7, 0.75)]).is_ok());
        assert_eq!(Allocation::even(&[]), Err(InvalidAllocation::NoArms));
    }

    #[test]
    fn closed_arms_have_no_probability_and_count_in_the_distance() {
        let two = Allocation::even(&[ArmId(0), ArmId(3)]).unwrap();
        let three = Allocation::even(&[ArmId(0), ArmId(2), ArmId(3)]).unwrap();
        assert!(two.get(ArmId(2)).abs() < f64::EPSILON);
        assert!((two.get(ArmId(3)) - 0.5).abs() < f64::EPSILON);
        assert!((two.distance(&three) - 1.0 / 3.0).abs() < 1e-15);
        assert!(two.distance(&two).abs() < f64::EPSILON);
    }

    #[test]
    fn round_trips_through_json_bit_for_bit() {
        let allocation =
            Allocation::new(vec![(ArmId(0), 1.0 / 3.0), (ArmId(5), 2.0 / 3.0)]).unwrap();
        let text = serde_json::to_string(&allocation).unwrap();
        assert_eq!(
            serde_json::from_str::<Allocation>(&text).unwrap(),
            allocation
        );
        assert!(serde_json::from_str::<Allocation>("[[0,0.5]]").is_err());
    }
}
