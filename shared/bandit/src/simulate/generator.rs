//! Chance on a seed: xoshiro256++ and the few distributions that a simulation draws from.
//!
//! Own code, because the bits of a simulation must stay the same for years and generators of libraries change with
//! their versions. xoshiro256++ is Blackman and Vigna 2021, "Scrambled linear pseudorandom number generators"; its
//! state is filled by `SplitMix64` (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators").

/// 2^-53: the spacing of the uniform numbers.
const SPACING: f64 = 1.0 / 9_007_199_254_740_992.0;

/// `SplitMix64` adds this at every step: 2^64 over the golden ratio, made odd.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A generator; the same seed gives the same numbers for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generator {
    state: [u64; 4],
}

impl Generator {
    /// The generator of one `stream` of one `run`. Different streams and runs of a seed have different states, and
    /// they do not overlap in practice: the period is 2^256.
    pub fn new(seed: u64, run: u64, stream: u64) -> Self {
        let mut source = mixed(mixed(mixed(seed) ^ run) ^ stream);
        Self {
            state: std::array::from_fn(|_| {
                source = source.wrapping_add(GOLDEN);
                mixed(source)
            }),
        }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// Uniform in `0..1`, a multiple of 2^-53.
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * SPACING
    }

    /// Uniform among `0..count`; `count` is at least 1. The bias is below `count / 2^53`.
    pub fn below(&mut self, count: usize) -> usize {
        ((self.uniform() * count as f64) as usize).min(count - 1)
    }

    /// Whether an event of probability `p` happens.
    pub fn happens(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    /// Exponential with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -(-self.uniform()).ln_1p()
    }

    /// Normal with mean 0 and standard deviation 1 (Marsaglia's polar method; the second number is thrown away, so
    /// that the state is all there is).
    pub fn normal(&mut self) -> f64 {
        loop {
            let (x, y) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                return x * (-2.0 * square.ln() / square).sqrt();
            }
        }
    }

    /// Beta(`alpha`, `beta`), both above 0.
    pub fn beta(&mut self, alpha: f64, beta: f64) -> f64 {
        let (x, y) = (self.log_gamma_variate(alpha), self.log_gamma_variate(beta));
        // the quotient of two gamma variates, from their logarithms: shapes of a thousandth underflow otherwise
        1.0 / (1.0 + (y - x).exp())
    }

    /// The logarithm of a gamma variate of this shape (above 0) and scale 1: Marsaglia and Tsang 2000, and for shapes
    /// below 1 their section 6, `gamma(shape + 1) * U^(1/shape)`.
    fn log_gamma_variate(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let power = -self.exponential() / shape;
            return self.log_gamma_variate(shape + 1.0) + power;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = 1.0 + c * x;
            if v <= 0.0 {
                continue;
            }
            let log_v = 3.0 * v.ln();
            let log_u = -self.exponential();
            if log_u < 0.5 * x * x + d * (1.0 - v.powi(3) + log_v) {
                return d.ln() + log_v;
            }
        }
    }
}

/// The finaliser of `SplitMix64`, a bijection of the 64-bit numbers.
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_numbers_of_the_authors_code() {
        let mut generator = Generator {
            state: [1, 2, 3, 4],
        };
        let wanted = [
            41_943_041,
            58_720_359,
            3_588_806_011_781_223,
            3_591_011_842_654_386,
            9_228_616_714_210_784_205,
            9_973_669_472_204_895_162,
        ];
        assert_eq!(wanted.map(|_| generator.bits()), wanted);
        let seed: u64 = 1_477_776_061_723_855_037;
        let first = mixed(seed.wrapping_add(GOLDEN));
        let second = mixed(seed.wrapping_add(GOLDEN.wrapping_mul(2)));
        assert_eq!(
            [first, second],
            [1_985_237_415_132_408_290, 2_979_275_885_539_914_483]
        );
    }

    #[test]
    fn runs_and_streams_are_different_and_repeat() {
        let first = |seed, run, stream| Generator::new(seed, run, stream).bits();
        assert_eq!(first(1, 2, 3), first(1, 2, 3));
        let other = [
            first(2, 2, 3),
            first(1, 3, 3),
            first(1, 2, 4),
            first(1, 3, 2),
        ];
        assert!(other.iter().all(|bits| *bits != first(1, 2, 3)));
    }

    /// Mean and variance of 200,000 draws, within 5 standard errors of the truth.
    fn moments(mean: f64, variance: f64, fourth: f64, mut draw: impl FnMut() -> f64) {
        let count = 200_000;
        let draws: Vec<f64> = (0..count).map(|_| draw()).collect();
        let n = f64::from(count);
        let got = draws.iter().sum::<f64>() / n;
        let spread = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        assert!((got - mean).abs() < 5.0 * (variance / n).sqrt(), "{got}");
        let noise = ((fourth - variance * variance) / n).sqrt();
        assert!((spread - variance).abs() < 5.0 * noise, "{spread}");
    }

    #[test]
    fn distributions_have_their_moments() {
        let mut generator = Generator::new(7, 0, 0);
        moments(0.5, 1.0 / 12.0, 1.0 / 80.0, || generator.uniform());
        moments(1.0, 1.0, 9.0, || generator.exponential());
        moments(0.0, 1.0, 3.0, || generator.normal());
        for (a, b) in [
            (0.05, 0.2),
            (0.5, 0.5),
            (1.0, 1.0),
            (4.0, 4.0),
            (45.0, 955.0),
        ] {
            let sum: f64 = a + b;
            let variance = a * b / (sum * sum * (sum + 1.0));
            let excess = 6.0 * ((a - b).powi(2) * (sum + 1.0) - a * b * (sum + 2.0))
                / (a * b * (sum + 2.0) * (sum + 3.0));
            let fourth = (excess + 3.0) * variance * variance;
            moments(a / sum, variance, fourth, || generator.beta(a, b));
        }
    }

    #[test]
    fn below_reaches_every_number_and_no_other() {
        let mut generator = Generator::new(1, 0, 0);
        let mut seen = [0_u32; 5];
        for _ in 0..5_000 {
            seen[generator.below(5)] += 1;
        }
        assert!(seen.iter().all(|count| (850..1_150).contains(count)));
        assert_eq!(generator.below(1), 0);
    }
}
