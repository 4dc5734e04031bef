//! The stack of the machine, its marks and its memo: places of nodes, and errors where there are none.
use super::Fault;
use super::graph::Id;
use std::vec::Drain;

/// Stands in the memo for a number that nothing was put under.
const UNUSED: Id = Id::MAX;

pub(super) struct Stack {
    ids: Vec<Id>,
    /// How high the stack was at each open mark.
    marks: Vec<usize>,
    memo: Vec<Id>,
    /// Numbers of the memo are less than this.
    memo_limit: usize,
}

impl Stack {
    /// For a pickle of so many bytes, which cannot have more objects in its memo than that.
    pub(super) fn new(bytes: usize) -> Self {
        Stack { ids: Vec::new(), marks: Vec::new(), memo: Vec::new(), memo_limit: bytes }
    }

    pub(super) fn push(&mut self, id: Id) {
        self.ids.push(id);
    }

    pub(super) fn mark(&mut self) {
        self.marks.push(self.ids.len());
    }

    /// How far the stack may be emptied without crossing a mark.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    pub(super) fn top(&self) -> Result<Id, Fault> {
        self.start_of(1).map(|start| self.ids[start])
    }

    pub(super) fn pop(&mut self) -> Result<Id, Fault> {
        let id = self.top()?;
        self.ids.pop();
        Ok(id)
    }

    /// Takes one object or, if there is none above the last mark, the mark.
    pub(super) fn discard(&mut self) -> Result<(), Fault> {
        if self.ids.len() > self.floor() { self.pop().map(drop) } else { self.last_mark().map(drop) }
    }

    /// Takes the last objects: so many, or those above the last mark and the mark.
    pub(super) fn take(&mut self, length: Option<usize>) -> Result<Vec<Id>, Fault> {
        let start = self.start(length)?;
        Ok(self.ids.split_off(start))
    }

    /// The same, with the object below them, which stays.
    pub(super) fn take_above(&mut self, length: Option<usize>) -> Result<(Id, Drain<'_, Id>), Fault> {
        let start = self.start(length)?;
        if start <= self.floor() {
            return Err(underflow());
        }
        Ok((self.ids[start - 1], self.ids.drain(start..)))
    }

    fn start(&mut self, length: Option<usize>) -> Result<usize, Fault> {
        match length {
            Some(length) => self.start_of(length),
            None => self.last_mark(),
        }
    }

    fn start_of(&self, length: usize) -> Result<usize, Fault> {
        let start = self.ids.len().checked_sub(length);
        start.filter(|&start| start >= self.floor()).ok_or_else(underflow)
    }

    fn last_mark(&mut self) -> Result<usize, Fault> {
        self.marks.pop().ok_or_else(underflow)
    }

    /// Remembers the last object under the next number.
    pub(super) fn memoize(&mut self) -> Result<(), Fault> {
        self.put(self.memo.len())
    }

    /// Remembers the last object under this number.
    pub(super) fn put(&mut self, number: usize) -> Result<(), Fault> {
        let id = self.top()?;
        if number >= self.memo_limit {
            return Err(Fault(format!("the pickle puts an object under number {number} of its memo")));
        }
        if number >= self.memo.len() {
            self.memo.resize(number + 1, UNUSED);
        }
        self.memo[number] = id;
        Ok(())
    }

    /// Pushes the object remembered under this number.
    pub(super) fn get(&mut self, number: usize) -> Result<(), Fault> {
        let id = self.memo.get(number).copied().filter(|&id| id != UNUSED);
        let missing = || Fault(format!("the pickle's memo has nothing under number {number}"));
        self.ids.push(id.ok_or_else(missing)?);
        Ok(())
    }
}

fn underflow() -> Fault {
    Fault::new("the pickle takes an object that it has not made")
}
