//! A trace where what was asked for lately is asked for again: the ground on which LRU is at its best.
//!
//! The model is the LRU stack of Mattson et al. (1970), with the distances that Almeida, Bestavros,
//! Crovella and de Oliveira found in web traces ("Characterizing reference locality in the WWW", 1996):
//! lognormal, so that most re-references are near and the tail is long. It is the load of an ORM or a web
//! site whose rows and pages are asked for again while somebody works with them, and then no more.
//!
//! - One request in ten is for an object never seen before: a new row, a new session, a new page.
//! - The others draw a stack distance, lognormal with a median of e^7 (about 1,100 other objects asked for
//!   in between) and sigma 2: one re-reference in eight comes within 110 objects, one in eight later
//!   than 11,000. So both capacities of the table lie where it matters. A distance beyond the stack is a
//!   new object too.
//!
//! The parameters were fixed before any contestant was run on them. Popularity plays no part: an exact
//! LRU sees through this trace completely, and every policy that guesses popularity pays for it.
use crate::random::{Random, mix};

const NEW: f64 = 0.1;
const MEDIAN_OF_LOG: f64 = 7.0;
const DEVIATION_OF_LOG: f64 = 2.0;
const SEED: u64 = 0x7EC3;
/// Numbers that no other trace uses.
const FIRST_OBJECT: u64 = 1 << 41;

/// This many requests.
pub(crate) fn recency(requests: usize) -> Vec<u64> {
    let mut random = Random::new(SEED);
    let mut stack = Stack::new(requests);
    (0..requests).map(|_| mix(FIRST_OBJECT + u64::from(request(&mut stack, &mut random)))).collect()
}

fn request(stack: &mut Stack, random: &mut Random) -> u32 {
    let is_new = random.fraction() < NEW;
    let distance = (MEDIAN_OF_LOG + DEVIATION_OF_LOG * random.normal()).exp() as usize;
    let object = if is_new { None } else { stack.take(distance) };
    stack.push(object)
}

/// The objects in the order of their last request; any distance is found in O(log requests).
///
/// Each request takes the next place in time. A Fenwick tree counts the places that are still somebody's
/// last request.
struct Stack {
    counts: Vec<u32>,
    object_at: Vec<u32>,
    next_place: usize,
    size: usize,
    next_object: u32,
}

impl Stack {
    fn new(requests: usize) -> Self {
        let places = requests.next_power_of_two();
        let (counts, object_at) = (vec![0; places + 1], vec![0; places + 1]);
        Stack { counts, object_at, next_place: 1, size: 0, next_object: 0 }
    }

    /// Takes out the object with this many others above it; `None` if the stack is not that deep.
    fn take(&mut self, distance: usize) -> Option<u32> {
        let from_below = self.size.checked_sub(distance).filter(|&from_below| from_below > 0)?;
        let place = self.find(from_below as u32);
        self.add(place, u32::MAX); // minus one
        self.size -= 1;
        Some(self.object_at[place])
    }

    /// Puts an object, or a new one, on top.
    fn push(&mut self, object: Option<u32>) -> u32 {
        let object = object.unwrap_or(self.next_object);
        self.next_object = self.next_object.max(object + 1);
        self.object_at[self.next_place] = object;
        self.add(self.next_place, 1);
        self.next_place += 1;
        self.size += 1;
        object
    }

    fn add(&mut self, mut place: usize, more: u32) {
        while place < self.counts.len() {
            self.counts[place] = self.counts[place].wrapping_add(more);
            place += place & place.wrapping_neg();
        }
    }

    /// The place where the count from the oldest on reaches `wanted`.
    fn find(&self, mut wanted: u32) -> usize {
        let (mut place, mut step) = (0, self.counts.len() / 2);
        while step > 0 {
            if let Some(&count) = self.counts.get(place + step).filter(|&&count| count < wanted) {
                wanted -= count;
                place += step;
            }
            step /= 2;
        }
        place + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stack_finds_distances_like_a_plain_list() {
        let (mut stack, mut list, mut random) = (Stack::new(5_000), Vec::new(), Random::new(1));
        for _ in 0..5_000 {
            let distance = random.below(list.len() + 5);
            let taken = stack.take(distance);
            let from_list = list.len().checked_sub(distance + 1).map(|index| list.remove(index));
            assert_eq!(taken, from_list);
            list.push(stack.push(taken));
        }
    }
}
