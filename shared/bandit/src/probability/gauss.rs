//! The 16-point Gauss-Legendre rule on `-1..1`, and the integrals from -1 up to each of its nodes.

use std::sync::LazyLock;

/// Nodes of a panel.
pub(super) const NODES: usize = 16;

/// One value per node.
pub(super) type Samples = [f64; NODES];

/// The positive nodes and their weights, computed with 50 digits and rounded once.
const HALF: [(f64, f64); NODES / 2] = [
    (0.095_012_509_837_637_44, 0.189_450_610_455_068_5),
    (0.281_603_550_779_258_9, 0.182_603_415_044_923_58),
    (0.458_016_777_657_227_37, 0.169_156_519_395_002_54),
    (0.617_876_244_402_643_8, 0.149_595_988_816_576_74),
    (0.755_404_408_355_003, 0.124_628_971_255_533_88),
    (0.865_631_202_387_831_8, 0.095_158_511_682_492_79),
    (0.944_575_023_073_232_6, 0.062_253_523_938_647_894),
    (0.989_400_934_991_649_9, 0.027_152_459_411_754_096),
];

/// The rule.
pub(super) struct Rule {
    /// Ascending, in `-1..1`.
    pub(super) nodes: Samples,
    /// They sum to 2.
    pub(super) weights: Samples,
    /// `up_to[r][c]`: the integral from -1 to node `r` of the polynomial that is 1 at node `c` and 0 at the others.
    pub(super) up_to: [Samples; NODES],
}

/// Computed once, with nothing but additions, multiplications and divisions: the same everywhere.
pub(super) static RULE: LazyLock<Rule> = LazyLock::new(|| {
    let (nodes, weights) = nodes_and_weights();
    Rule {
        nodes,
        weights,
        up_to: integrals_up_to(&nodes, &weights),
    }
});

fn nodes_and_weights() -> (Samples, Samples) {
    let mut nodes = [0.0; NODES];
    let mut weights = [0.0; NODES];
    for (i, (node, weight)) in HALF.into_iter().enumerate() {
        let (right, left) = (NODES / 2 + i, NODES / 2 - 1 - i);
        (nodes[right], nodes[left]) = (node, -node);
        (weights[right], weights[left]) = (weight, weight);
    }
    (nodes, weights)
}

/// Expands each cardinal polynomial in Legendre polynomials, `Σ (2l+1)/2 w_c P_l(x_c) P_l`, and integrates those by
/// `∫_{-1}^{x} P_l = (P_{l+1}(x) - P_{l-1}(x)) / (2l+1)`.
fn integrals_up_to(nodes: &Samples, weights: &Samples) -> [Samples; NODES] {
    let legendre = nodes.map(legendre_at);
    let mut up_to = [[0.0; NODES]; NODES];
    for (r, row) in up_to.iter_mut().enumerate() {
        for (c, cell) in row.iter_mut().enumerate() {
            let mut sum = 0.5 * weights[c] * (nodes[r] + 1.0);
            for l in 1..NODES {
                let integral = legendre[r][l + 1] - legendre[r][l - 1];
                sum += 0.5 * weights[c] * legendre[c][l] * integral;
            }
            *cell = sum;
        }
    }
    up_to
}

/// `P_0(x)` to `P_16(x)` by the three-term recurrence.
fn legendre_at(x: f64) -> [f64; NODES + 1] {
    let mut values = [1.0; NODES + 1];
    values[1] = x;
    for l in 2..=NODES {
        let degree = l as f64;
        values[l] =
            ((2.0 * degree - 1.0) * x * values[l - 1] - (degree - 1.0) * values[l - 2]) / degree;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integrates_powers_exactly() {
        for power in 0..32 {
            let got: f64 = RULE
                .nodes
                .iter()
                .zip(&RULE.weights)
                .map(|(node, weight)| weight * node.powi(power))
                .sum();
            let want = if power % 2 == 0 {
                2.0 / f64::from(power + 1)
            } else {
                0.0
            };
            assert!((got - want).abs() < 1e-15, "x^{power}: {got}");
        }
    }

    #[test]
    fn integrates_powers_up_to_each_node_exactly() {
        for power in 0..16 {
            for (row, node) in RULE.up_to.iter().zip(&RULE.nodes) {
                let got: f64 = row
                    .iter()
                    .zip(&RULE.nodes)
                    .map(|(weight, node)| weight * node.powi(power))
                    .sum();
                let at = |x: f64| x.powi(power + 1) / f64::from(power + 1);
                let want = at(*node) - at(-1.0);
                assert!((got - want).abs() < 1e-15, "x^{power} to {node}: {got}");
            }
        }
    }
}
