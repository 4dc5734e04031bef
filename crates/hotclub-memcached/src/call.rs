//! A call shared out among nodes, round by round, for whatever door carries it.
use crate::client::Client;
use crate::error::Error;
use crate::fleet::Fleet;
use crate::peer::{Words, is_too_old_for};
use crate::request::Batch;
use crate::text::older;
use crate::verb::{Part, Verb};
use hotclub_net::Problem;
use std::sync::Arc;

/// The requests of a call that go to one node.
#[derive(Debug)]
struct Share {
    node: usize,
    requests: Vec<usize>,
    /// How many of them are done.
    done: usize,
    /// What is under way, and how many requests that are.
    batch: Batch,
    under_way: usize,
    /// Each request is to have a reply of its own.
    plainly: bool,
    /// In which words what is under way is said.
    words: Words,
    /// The node was found to know the older ones only.
    is_older: bool,
}

/// A call on its way: what is left of it, and the answer so far.
///
/// A door asks for a round ([`Call::next_round`]), sends each of its batches to its node, after what the node still
/// owes ([`Client::owed`]), and gives back what it hears ([`Call::take_in`]), until there are no more rounds. A call that
/// is dropped halfway notes what it was to end.
#[derive(Debug)]
pub struct Call<V: Verb> {
    fleet: Arc<Fleet>,
    verb: V,
    shares: Vec<Share>,
    answer: Option<V::Answer>,
    error: Option<Error>,
    /// Has room already; for the share that needs one first, and from the one that is done last.
    spare: Batch,
}

impl<V: Verb> Drop for Call<V> {
    /// A task was cancelled: what it was to end may live on.
    fn drop(&mut self) {
        for share in &self.shares {
            self.note(share.node, &share.requests[share.done..]);
        }
    }
}

impl<V: Verb> Call<V> {
    /// A call of this client.
    pub fn new(client: &Client, verb: V) -> Self {
        Call::of(client.fleet(), verb)
    }

    pub(crate) fn of(fleet: &Arc<Fleet>, verb: V) -> Self {
        let answer = Some(verb.start());
        let share = |node, requests| Share {
            node,
            requests,
            done: 0,
            batch: Batch::default(),
            under_way: 0,
            plainly: false,
            words: Words::Newer,
            is_older: false,
        };
        let shares = match verb.len() {
            0 => Vec::new(),
            1 => vec![share(fleet.node_of(verb.key(0)), vec![0])],
            count if fleet.size() == 1 => vec![share(0, (0..count).collect())],
            count => {
                let mut by_node: Vec<Vec<usize>> = (0..fleet.size()).map(|_| Vec::new()).collect();
                (0..count).for_each(|request| by_node[fleet.node_of(verb.key(request))].push(request));
                let asked = by_node.into_iter().enumerate().filter(|(_, requests)| !requests.is_empty());
                asked.map(|(node, requests)| share(node, requests)).collect()
            }
        };
        Call { fleet: fleet.clone(), verb, shares, answer, error: None, spare: Batch::default() }
    }

    /// A batch that was used before, and has room.
    pub(crate) fn lend(&mut self, batch: Batch) {
        match self.shares.first_mut() {
            Some(share) => share.batch = batch,
            None => self.spare = batch,
        }
    }

    pub(crate) fn take_spare(&mut self) -> Batch {
        std::mem::take(&mut self.spare)
    }

    /// Writes what goes out next: so many batches, one a node. 0: the call is done.
    pub fn next_round(&mut self) -> usize {
        let is_left = |share: &Share| share.done < share.requests.len();
        if let Some(done) = self.shares.iter_mut().find(|share| !is_left(share)) {
            self.spare = std::mem::take(&mut done.batch);
        }
        self.shares.retain(is_left);
        for share in &mut self.shares {
            let Share { node, batch, requests, done, under_way, plainly, .. } = share;
            batch.start(self.verb.name(), self.verb.effect());
            share.words = if share.is_older { Words::Older } else { self.fleet.peer(*node).words() };
            let plainly = *plainly || share.words == Words::Older;
            *under_way = self.verb.write_part(&requests[*done..], batch, plainly);
            if share.words == Words::Older {
                match older(batch) {
                    Ok(said) => *batch = said,
                    Err(problem) => {
                        *done = requests.len();
                        self.error.get_or_insert(self.fleet.error(&self.verb, *node, problem));
                    }
                }
            }
        }
        // What cannot be said there was not asked.
        self.shares.retain(is_left);
        self.shares.len()
    }

    /// The node of a batch of this round.
    pub fn node_of(&self, at: usize) -> usize {
        self.shares[at].node
    }

    /// In which words a batch of this round is said.
    pub fn words(&self, at: usize) -> Words {
        self.shares[at].words
    }

    /// A batch of this round.
    pub fn batch(&self, at: usize) -> &Batch {
        &self.shares[at].batch
    }

    /// The same, taken out of the call.
    pub fn take_batch(&mut self, at: usize) -> Batch {
        std::mem::take(&mut self.shares[at].batch)
    }

    /// What came back for a batch of this round, or why nothing did; false if it makes no sense, so that what else comes
    /// over that connection is not to be believed.
    pub fn take_in(&mut self, at: usize, heard: Result<&[u8], Problem>) -> bool {
        let share = &mut self.shares[at];
        let Some(answer) = &mut self.answer else { return true };
        let left = &share.requests[share.done..];
        match heard {
            Ok(bytes) => match self.verb.read_part(&left[..share.under_way], bytes, answer) {
                Ok(Part::Read) => share.done += share.under_way,
                Ok(Part::AskPlainly) => share.plainly = true,
                Err(problem) => {
                    let part = share.done..share.done + share.under_way;
                    let (node, makes_sense) = (share.node, !matches!(problem, Problem::Malformed(_)));
                    share.done = part.end;
                    if !makes_sense {
                        // Whether it was done is unknown.
                        self.note(node, &self.shares[at].requests[part]);
                    }
                    self.error.get_or_insert(self.fleet.error(&self.verb, node, problem));
                    return makes_sense;
                }
            },
            // It is said once more, in words that it knows.
            Err(problem) if share.words == Words::Newer && is_too_old_for(&problem) => share.is_older = true,
            Err(problem) => {
                // The rest of its requests would only wait for the same.
                let without = self.fleet.without(&self.verb, share.node, left, problem, answer);
                share.done = share.requests.len();
                if let Err(error) = without {
                    self.error.get_or_insert(error);
                }
            }
        }
        true
    }

    /// The answer, when there are no more rounds.
    ///
    /// # Errors
    /// The first that was met.
    pub fn end(mut self) -> Result<V::Answer, Error> {
        match (self.error.take(), self.answer.take()) {
            (None, Some(answer)) => Ok(answer),
            (Some(error), _) => Err(error),
            (None, None) => unreachable!("the answer is taken here only"),
        }
    }

    fn note(&self, node: usize, requests: &[usize]) {
        if self.verb.ends_old_value() && !requests.is_empty() {
            self.fleet.note(node, requests.iter().map(|&request| self.verb.key(request)));
        }
    }
}
