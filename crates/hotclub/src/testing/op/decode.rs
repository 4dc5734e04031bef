//! Bytes to verbs: every sequence of bytes is a sequence of verbs, and similar ones are similar.
use super::{LifeMs, Op, When, Written};
use crate::entry::Flags;
use std::time::Duration;

/// Lives and passages of time meet at their bounds.
const LIVES: [LifeMs; 8] =
    [None, None, Some(0), Some(1), Some(10), Some(1_000), Some(60_000), Some(u64::MAX >> 20)];
const PASSAGES: [u64; 6] = [1, 9, 10, 500, 59_999, 100_000];
const DELTAS: [i64; 8] = [1, -1, 0, 2, 9, -1_000, i64::MAX, i64::MIN];

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    /// The next byte; zero when there is none left.
    fn next(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.next()) % choices.len()].clone()
    }

    fn written(&mut self) -> Written {
        let kind = self.next();
        let value = match kind % 4 {
            0 => i64::from(self.next() as i8).to_string().into_bytes(),
            1 => vec![self.next(); usize::from(self.next())],
            2 => i128::MAX.to_string().into_bytes(),
            _ => b" 41 ".to_vec(),
        };
        Written { value, flags: Flags(u32::from(kind) << 16 | 2) }
    }

    fn several<T>(&mut self, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.next() % 6).map(|_| one(self)).collect()
    }

    fn op(&mut self) -> Op {
        match self.next() % 16 {
            0..2 => Op::Get(self.next(), false),
            2 => Op::Get(self.next(), true),
            3 => Op::GetAndTouch(self.next(), self.of(&LIVES)),
            4..6 => Op::Set(self.next(), self.written(), self.of(&LIVES), When::Always),
            6 => {
                let when = [When::IfAbsent, When::IfPresent, When::IfUnchanged, When::IfChanged];
                Op::Set(self.next(), self.written(), self.of(&LIVES), self.of(&when))
            }
            7 => Op::Set(self.next(), self.written(), self.of(&LIVES), When::IfAbsent),
            8 => Op::Delete(self.next()),
            9 => Op::Incr(self.next(), self.of(&DELTAS)),
            10 => Op::Touch(self.next(), self.of(&LIVES)),
            11 => Op::GetMany(self.several(Bytes::next)),
            12 => Op::SetMany(self.several(|bytes| (bytes.next(), bytes.written())), self.of(&LIVES)),
            13 => Op::DeleteMany(self.several(Bytes::next)),
            14 => Op::Advance(Duration::from_millis(self.of(&PASSAGES))),
            _ if self.next().is_multiple_of(4) => Op::Clear,
            _ => Op::ClearPrefix(self.next()),
        }
    }
}

/// The verbs that these bytes stand for.
pub fn decode(bytes: &[u8]) -> Vec<Op> {
    let mut bytes = Bytes(bytes);
    let mut ops = Vec::new();
    while !bytes.0.is_empty() {
        ops.push(bytes.op());
    }
    ops
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;
    use std::collections::HashSet;

    #[test]
    fn any_bytes_are_verbs_and_random_ones_are_all_of_them() {
        let mut random = Random::new(1);
        let ops: Vec<Op> = (0..200).flat_map(|_| decode(&random.bytes(200))).collect();
        let kinds: HashSet<_> = ops.iter().map(std::mem::discriminant).collect();
        assert_eq!(kinds.len(), 12);
        let whens = ops
            .iter()
            .filter_map(|op| if let Op::Set(_, _, _, when) = op { Some(*when as u8) } else { None });
        assert_eq!(whens.collect::<HashSet<_>>().len(), 5);
        assert_eq!(decode(b""), []);
    }
}
