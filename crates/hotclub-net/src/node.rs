//! One server with its pool and its breaker: an exchange, tried once more where that is safe.
use crate::breaker::Breaker;
use crate::pool::{Lent, Pool};
use crate::problem::Problem;
use crate::received::Received;
use crate::server::Server;
use crate::terms::{Effect, Terms};
use std::sync::Arc;
use std::time::Instant;

/// A server as this process sees it.
#[derive(Debug)]
pub struct Node<T: Terms> {
    /// Where it is.
    pub server: Server,
    role: T::Role,
    pool: Pool,
    breaker: Arc<Breaker>,
}

/// A request that has been sent and not yet answered.
pub struct Sent<'a> {
    lent: Lent<'a>,
    since: Instant,
}

impl<T: Terms> Node<T> {
    /// It is not asked before the first exchange.
    pub fn new(server: Server, role: T::Role) -> Self {
        Node::beside(server, role, Arc::default())
    }

    /// The same where another way leads to the same server: what one learns about it holds for both.
    pub fn beside(server: Server, role: T::Role, breaker: Arc<Breaker>) -> Self {
        Node { server, role, pool: Pool::new(), breaker }
    }

    /// Sends requests and puts the replies behind what was received before.
    ///
    /// A connection that turns out to be dead is replaced once, if `effect` allows that.
    #[inline]
    pub fn exchange(
        &self,
        terms: &T,
        effect: Effect,
        bytes: &[u8],
        replies: usize,
        received: &mut Received,
    ) -> Result<(), Problem> {
        let before = received.bytes().len();
        let sent = self.send(terms, effect, bytes);
        match sent.and_then(|sent| self.receive(terms, sent, replies, received)) {
            Err(problem) if problem.is_disconnect() => {
                received.truncate(before);
                self.exchange_again(terms, effect, bytes, replies, received, problem)
            }
            done => done,
        }
    }

    /// After a connection broke: with another one, if `effect` allows that.
    #[cold]
    pub fn exchange_again(
        &self,
        terms: &T,
        effect: Effect,
        bytes: &[u8],
        replies: usize,
        received: &mut Received,
        problem: Problem,
    ) -> Result<(), Problem> {
        // What else waits in the pool leads to the same dead server.
        self.pool.forget_idle();
        if effect == Effect::Once {
            return Err(problem);
        }
        let sent = self.send(terms, effect, bytes)?;
        self.receive(terms, sent, replies, received)
    }

    /// The first half of an exchange: several nodes work at the same time if all are asked before one is heard.
    #[inline]
    pub fn send(&self, terms: &T, effect: Effect, bytes: &[u8]) -> Result<Sent<'_>, Problem> {
        self.breaker.check(terms)?;
        // Two readings of a precise clock cost less than a tenth of what the system calls do.
        let since = Instant::now();
        let sure = effect == Effect::Once;
        let sent = self.pool.take(&self.server, terms, self.role, sure).and_then(|mut lent| {
            lent.connection().send(bytes)?;
            Ok(Sent { lent, since })
        });
        sent.inspect_err(|problem| self.breaker.note(&self.server, terms, problem, since.elapsed()))
    }

    /// The second half of an exchange.
    #[inline]
    pub fn receive(
        &self,
        terms: &T,
        mut sent: Sent<'_>,
        replies: usize,
        received: &mut Received,
    ) -> Result<(), Problem> {
        match sent.lent.connection().receive::<T::Skim>(replies, received) {
            Ok(()) => {
                sent.lent.give_back();
                self.breaker.succeeded(&self.server, terms);
                Ok(())
            }
            Err(problem) => {
                self.breaker.note(&self.server, terms, &problem, sent.since.elapsed());
                Err(problem)
            }
        }
    }

    /// As [`Node::receive`], for a caller that has waited for other nodes too: who is silent at the end of the
    /// limit that they share does not get another one.
    pub fn receive_until(
        &self,
        terms: &T,
        mut sent: Sent<'_>,
        replies: usize,
        received: &mut Received,
        until: Instant,
    ) -> Result<(), Problem> {
        if Instant::now() > until && sent.lent.connection().is_idle() {
            let problem = Problem::ReplyLimit(terms.reply_limit());
            self.breaker.note(&self.server, terms, &problem, sent.since.elapsed());
            return Err(problem);
        }
        self.receive(terms, sent, replies, received)
    }

    /// What was heard over one of its connections makes no sense: none of those that wait is used again.
    #[cold]
    pub fn distrust(&self) {
        self.pool.forget_idle();
    }

    /// How many connections there are to it.
    pub fn connections(&self) -> usize {
        self.pool.open()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::plain::Plain;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    /// A server that sends lines back, on so many connections and no more, and says how many it had.
    fn echo(connections: usize) -> (Node<Plain>, std::thread::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            for client in listener.incoming().take(connections) {
                let client = client.unwrap();
                let mut lines = BufReader::new(client.try_clone().unwrap()).lines();
                while let Some(Ok(line)) = lines.next() {
                    if line == "bye" {
                        break;
                    }
                    (&client).write_all(format!("{line}\n").as_bytes()).unwrap();
                }
            }
        });
        (Node::new(Server::Tcp("127.0.0.1".into(), port), ()), server)
    }

    fn ask(node: &Node<Plain>, effect: Effect, line: &str) -> Result<String, Problem> {
        let (terms, mut received) = (Plain::default(), Received::default());
        node.exchange(&terms, effect, line.as_bytes(), 1, &mut received)?;
        Ok(String::from_utf8(received.bytes().to_vec()).unwrap())
    }

    #[test]
    fn one_connection_serves_one_exchange_after_the_other() {
        let (node, _server) = echo(1);
        for number in 0..5 {
            let line = format!("{number}\n");
            assert_eq!(ask(&node, Effect::Once, &line).unwrap(), line);
        }
        assert_eq!(node.connections(), 1);
    }

    #[test]
    fn a_connection_that_breaks_is_replaced_once_if_nothing_can_be_done_twice() {
        let (node, server) = echo(3);
        assert_eq!(ask(&node, Effect::Read, "a\n").unwrap(), "a\n");
        assert!(matches!(ask(&node, Effect::Once, "bye\n"), Err(Problem::Lost(_))));
        assert!(matches!(ask(&node, Effect::Read, "bye\n"), Err(Problem::Lost(_))));
        server.join().unwrap();
        assert!(matches!(ask(&node, Effect::Read, "a\n"), Err(Problem::Connect(_))));
        assert!(matches!(ask(&node, Effect::Read, "a\n"), Err(Problem::Resting(..))));
        assert_eq!(node.connections(), 0);
    }

    #[test]
    fn a_server_that_says_nothing_costs_its_limit() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let node = Node::new(Server::Tcp("127.0.0.1".into(), listener.local_addr().unwrap().port()), ());
        assert!(matches!(ask(&node, Effect::Read, "a\n"), Err(Problem::ReplyLimit(_))));
        assert_eq!(node.connections(), 0);
    }
}
