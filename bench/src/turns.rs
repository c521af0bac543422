//! Taking turns: A B C, C B A, A B C, so that whatever drifts meets everybody alike.
//!
//! A ratio is taken within a round, where both figures are neighbours in time, and of the rounds the
//! median counts, with the least and the greatest beside it.
//!
//! Not here: what is measured in a turn.

use crate::compare::Spread;

/// How often everybody has a turn, and how long one is.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Turns {
    /// Seconds of each that is measured, over all rounds.
    #[arg(long, default_value_t = 3.0, value_parser = parse_seconds)]
    pub seconds: f64,
    /// Rounds in which all take turns; every other one goes backwards.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
}

fn parse_seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.01..=3600.0).contains(seconds));
    seconds.ok_or_else(|| format!("\"{text}\" is not from 0.01 to 3600"))
}

impl Turns {
    /// Of one turn.
    pub(crate) fn window_us(self) -> u64 {
        (self.seconds * 1e6 / f64::from(self.rounds)) as u64
    }

    /// Who of `count` goes when.
    pub(crate) fn order(self, count: usize) -> impl Iterator<Item = usize> {
        (0..self.rounds).flat_map(move |round| {
            let is_backwards = round % 2 == 1;
            (0..count).map(move |place| if is_backwards { count - 1 - place } else { place })
        })
    }
}

/// One by the other, round by round; `None` without a round.
pub(crate) fn ratio(figures: &[f64], by: &[f64]) -> Option<Spread> {
    let pairs = figures.iter().zip(by);
    // A figure of zero has no ratio; the least above it stands for "too small to say".
    let ratios: Vec<f64> = pairs.map(|(a, b)| a / b.max(f64::MIN_POSITIVE)).collect();
    spread(&ratios)
}

/// `None` without a figure.
pub(crate) fn spread(figures: &[f64]) -> Option<Spread> {
    (!figures.is_empty()).then(|| Spread::of(figures.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_round_goes_backwards() {
        let turns = Turns { seconds: 1.5, rounds: 3 };
        assert_eq!(turns.order(3).collect::<Vec<_>>(), [0, 1, 2, 2, 1, 0, 0, 1, 2]);
        assert_eq!(turns.window_us(), 500_000);
    }

    #[test]
    fn no_turn_is_without_end() {
        assert_eq!(parse_seconds("0.5"), Ok(0.5));
        for text in ["0", "-1", "inf", "NaN", "1e9", "x"] {
            assert!(parse_seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_ratio_is_taken_within_its_round() {
        let spread = ratio(&[1.0, 20.0, 3.0], &[2.0, 10.0, 3.0]).unwrap();
        assert_eq!(spread, Spread { median: 1.0, least: 0.5, greatest: 2.0 });
        assert_eq!(ratio(&[], &[]), None);
    }
}
