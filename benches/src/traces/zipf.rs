//! Skewed popularity, with and without scans that pass through.
use super::OBJECTS;
use crate::random::{Random, mix};

/// Requests of rank r with a probability in proportion to r^-exponent. Object numbers are scattered.
pub(crate) fn zipf(exponent: f64, requests: usize) -> Vec<u64> {
    let mut sum = 0.0;
    let cumulative: Vec<f64> = (1..=OBJECTS)
        .map(|rank| {
            sum += (rank as f64).powf(-exponent);
            sum
        })
        .collect();
    let mut random = Random::new(0x21FF + (exponent * 100.0) as u64);
    let mut rank = || {
        let drawn = random.fraction() * sum;
        cumulative.partition_point(|&upto| upto <= drawn)
    };
    (0..requests).map(|_| mix(rank() as u64)).collect()
}

const REQUESTS_BETWEEN_SCANS: usize = 40_000;
const SCAN: usize = 10_000;
/// Scanned objects have numbers that no ranked one has.
const FIRST_SCANNED: u64 = 1 << 40;

/// One request in five belongs to a scan: 10,000 objects in a row that are never asked for again, as
/// an export or a crawler does it.
pub(crate) fn with_scans(trace: &[u64]) -> Vec<u64> {
    let mut scanned = FIRST_SCANNED..;
    let mut mixed = Vec::with_capacity(trace.len() * 5 / 4);
    for piece in trace.chunks(REQUESTS_BETWEEN_SCANS) {
        mixed.extend_from_slice(piece);
        if piece.len() == REQUESTS_BETWEEN_SCANS {
            mixed.extend(scanned.by_ref().take(SCAN).map(mix));
        }
    }
    mixed
}
