//! Rewards in the units that people think in: rates in percent, scaled rewards in their own values.

use bandit::scale::Scale;
use protocol::experiments::RewardScale;

/// How an experiment's rewards are written. Every reward on the wire is in `0..=1`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Units(Option<Scale>);

impl Units {
    /// The units of a reward with this scale; rates, if it has none.
    pub fn of(scale: Option<RewardScale>) -> Self {
        let scale = scale.map(|RewardScale { at_zero, at_one }| Scale { at_zero, at_one });
        Self(scale.filter(|scale| scale.span() > 0.0))
    }

    /// A mean reward as a number on an axis: in percent, or in its own values.
    pub fn number(self, reward: f64) -> f64 {
        match self.0 {
            None => reward * 100.0,
            Some(scale) => scale.value(reward),
        }
    }

    /// Whether rewards are rates of success.
    pub fn is_rate(self) -> bool {
        self.0.is_none()
    }

    /// What stands behind such a number.
    pub fn sign(self) -> &'static str {
        if self.is_rate() { "%" } else { "" }
    }

    /// A mean reward: `8.12%`, or `3.40` of a scale of 1 to 5.
    pub fn value(self, reward: f64) -> String {
        match self.0 {
            None => format!("{:.2}%", reward * 100.0),
            Some(scale) => format!("{:.*}", scale.digits(), scale.value(reward)),
        }
    }

    /// From one mean reward to another: `7.62% ..  8.62%`, the lesser value first.
    pub fn interval(self, low: f64, high: f64) -> String {
        let (first, last) = if self.falls() {
            (high, low)
        } else {
            (low, high)
        };
        format!("{} .. {:>6}", self.value(first), self.value(last))
    }

    /// A difference with its sign: `+1.28 pp`, or `+0.12`.
    pub fn difference(self, reward: f64) -> String {
        match self.0 {
            None => format!("{:+.2} pp", reward * 100.0),
            Some(scale) => format!("{:+.*}", scale.digits(), scale.difference(reward)),
        }
    }

    /// From one difference to another, the lesser value first.
    pub fn differences(self, low: f64, high: f64) -> String {
        let (first, last) = if self.falls() {
            (high, low)
        } else {
            (low, high)
        };
        let first = self.difference(first);
        format!(
            "{} .. {}",
            first.trim_end_matches(" pp"),
            self.difference(last)
        )
    }

    /// A standard error, without its unit: it stands beside its value.
    pub fn error(self, reward: f64) -> String {
        match self.0 {
            None => format!("{:.2}", reward * 100.0),
            Some(scale) => format!("{:.*}", scale.digits(), reward * scale.span()),
        }
    }

    /// An amount of reward, such as a loss: `0.994 pp`, or `0.012`.
    pub fn size(self, reward: f64) -> String {
        match self.0 {
            None => format!("{:.3} pp", reward * 100.0),
            Some(scale) => format!("{:.*}", scale.digits() + 1, reward * scale.span()),
        }
    }

    /// Whether a greater reward is a lesser value.
    fn falls(self) -> bool {
        self.0.is_some_and(Scale::falls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_percent_and_scaled_rewards_keep_their_own_values() {
        let rates = Units::of(None);
        assert_eq!(rates.value(0.0812), "8.12%");
        assert_eq!(rates.interval(0.0762, 0.0862), "7.62% ..  8.62%");
        assert_eq!(rates.difference(-0.0128), "-1.28 pp");
        assert_eq!(rates.differences(-0.001, 0.0244), "-0.10 .. +2.44 pp");
        assert_eq!(rates.size(0.00994), "0.994 pp");
        let stars = Units::of(Some(RewardScale {
            at_zero: 1.0,
            at_one: 5.0,
        }));
        assert_eq!(stars.value(0.6), "3.40");
        assert_eq!(stars.difference(0.03), "+0.12");
        let latency = Units::of(Some(RewardScale {
            at_zero: 2000.0,
            at_one: 0.0,
        }));
        assert_eq!(latency.value(0.9), "200");
        assert_eq!(latency.interval(0.8, 0.9), "200 ..    400");
        assert_eq!(latency.difference(0.01), "-20");
        assert_eq!(latency.error(0.01), "20");
    }
}
