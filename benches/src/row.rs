//! One figure of one contestant, what it is compared with, and the target if it has one.
use std::fmt;

/// The least or the most that the comparison may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
}

impl Target {
    fn is_met_by(self, compared: f64) -> bool {
        match self {
            Target::AtLeast(least) => compared >= least,
            Target::AtMost(most) => compared <= most,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::AtLeast(least) => write!(f, ">= {least}"),
            Target::AtMost(most) => write!(f, "<= {most}"),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) case: String,
    pub(crate) contestant: &'static str,
    pub(crate) median: f64,
    pub(crate) best: f64,
    pub(crate) unit: &'static str,
    /// The yardstick's name.
    pub(crate) against: &'static str,
    /// A ratio to the yardstick, or for hit ratios the difference in points.
    pub(crate) compared: f64,
    pub(crate) target: Option<Target>,
}

impl Row {
    /// `None` where no target is set.
    pub(crate) fn is_met(&self) -> Option<bool> {
        self.target.map(|target| target.is_met_by(self.compared))
    }

    /// The same figure of another run.
    pub(crate) fn is_same_as(&self, other: &Row) -> bool {
        self.case == other.case && self.contestant == other.contestant && self.unit == other.unit
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { case, contestant, median, unit, against, compared, .. } = self;
        write!(f, "{contestant}, {case}: {median:.2} {unit}, {compared:.2} against {against}")?;
        self.target.map_or(Ok(()), |target| write!(f, "; target {target}"))
    }
}

/// So many rounds of one slice each, and one before them that warms up; who begins changes from round to round.
/// For each contestant, one figure a round.
pub(crate) fn in_turns(
    contestants: usize,
    rounds: usize,
    mut slice: impl FnMut(usize) -> f64,
) -> Vec<Vec<f64>> {
    let mut figures = vec![Vec::new(); contestants];
    for round in 0..=rounds {
        for turn in 0..contestants {
            let index = (turn + round) % contestants;
            let figure = slice(index);
            if round > 0 {
                figures[index].push(figure);
            }
        }
    }
    figures
}

/// The median of the ratios of the rounds: two neighbours in time suffer the same noise.
pub(crate) fn ratio(own: &[f64], other: &[f64]) -> f64 {
    median(own.iter().zip(other).map(|(own, other)| own / other))
}

/// The middle one; of two, the lower.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) / 2]
}
