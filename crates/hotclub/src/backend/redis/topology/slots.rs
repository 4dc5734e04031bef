//! Which nodes of a cluster have which slots. Pure: every door keeps one of its own.
use super::super::batch::{Batch, Effect};
use super::super::config::ReadFrom;
use super::super::error::Problem;
use super::super::resp::Reply;
use super::super::server::Server;
use super::{SLOTS, below};

/// A primary, and those who copy it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// Has slots, and takes writes.
    pub primary: Server,
    /// Answer reads, where that is wanted.
    pub replicas: Vec<Server>,
}

/// The map from slots to nodes. An empty one knows nothing.
#[derive(Debug, Clone, Default)]
pub struct SlotMap {
    shards: Vec<Shard>,
    /// The number of a shard for each slot, or `NOBODY`; empty as long as nothing is known.
    slots: Vec<u16>,
}

const NOBODY: u16 = u16::MAX;

impl SlotMap {
    /// Writes the question whose reply [`SlotMap::parse`] reads. Redis 3, and not yet gone in 8.
    pub fn ask(batch: &mut Batch) {
        batch.start("discover", Effect::Read, false);
        batch.command("CLUSTER", 2).arg(b"SLOTS");
    }

    /// Reads the reply to `CLUSTER SLOTS`. `asked` is the server that sent it: a node without a host is there.
    ///
    /// What newer servers add is passed over.
    ///
    /// # Errors
    /// The server's refusal, or a reply of another shape.
    pub fn parse(reply: &Reply<'_>, asked: &Server) -> Result<SlotMap, Problem> {
        let ranges = match reply {
            Reply::Array(ranges) => ranges,
            Reply::Error(text) => return Err(Problem::from(*text)),
            other => return Err(Problem::unexpected(other)),
        };
        let mut map = SlotMap::default();
        for range in ranges {
            map.add(range, asked).ok_or_else(|| Problem::unexpected(range))?;
        }
        Ok(map)
    }

    /// One range: first slot, last slot, primary, replicas.
    fn add(&mut self, range: &Reply<'_>, asked: &Server) -> Option<()> {
        let Reply::Array(fields) = range else { return None };
        let [first, last, nodes @ ..] = fields.as_slice() else { return None };
        let (first, last) = (slot(first)?, slot(last)?);
        let mut nodes = nodes.iter().map(|node| server(node, asked));
        // A primary whose address nobody knows yet has no slots that could be asked for.
        let Some(primary) = nodes.next()?.ok()? else { return Some(()) };
        let replicas = nodes.collect::<Result<Vec<_>, ()>>().ok()?.into_iter().flatten();
        let shard = self.shard_of(primary);
        self.shards[shard].replicas = replicas.collect();
        self.give(first, last, shard);
        Some(())
    }

    /// The number of the shard with this primary, which may be a new one.
    fn shard_of(&mut self, primary: Server) -> usize {
        let known = self.shards.iter().position(|shard| shard.primary == primary);
        known.unwrap_or_else(|| {
            self.shards.push(Shard { primary, replicas: Vec::new() });
            self.shards.len() - 1
        })
    }

    fn give(&mut self, first: u16, last: u16, shard: usize) {
        self.slots.resize(usize::from(SLOTS), NOBODY);
        if let Some(slots) = self.slots.get_mut(usize::from(first)..=usize::from(last)) {
            slots.fill(u16::try_from(shard).unwrap_or(NOBODY));
        }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.shards.is_empty()
    }

    /// Who has this slot, if anybody.
    pub fn shard(&self, slot: u16) -> Option<&Shard> {
        self.shards.get(usize::from(*self.slots.get(usize::from(slot))?))
    }

    /// All of them.
    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// Notes a `MOVED`: this server has the slot now. Its replicas are learnt at the next refresh.
    pub fn moved(&mut self, slot: u16, to: Server) {
        if slot < SLOTS && self.shard(slot).is_none_or(|shard| shard.primary != to) {
            // More moves than slots without a refresh: only a server that makes fun of us does that.
            if self.shards.len() >= usize::from(SLOTS) {
                return;
            }
            let shard = self.shard_of(to);
            self.give(slot, slot, shard);
        }
    }

    /// Who is asked for this slot, and whether that is a replica. `random` chooses where there is a choice: any
    /// number from 0 to 1, the same for all commands of a batch, so that they stay together.
    pub fn node(
        &self,
        slot: u16,
        effect: Effect,
        read_from: ReadFrom,
        random: f64,
    ) -> Option<(&Server, bool)> {
        let shard = self.shard(slot)?;
        let replicas = shard.replicas.as_slice();
        let index = match read_from {
            _ if effect != Effect::Read || replicas.is_empty() => 0,
            ReadFrom::Usual | ReadFrom::Primary => 0,
            ReadFrom::Replicas => 1 + below(replicas.len(), random),
            ReadFrom::Any => below(1 + replicas.len(), random),
        };
        Some(if index == 0 { (&shard.primary, false) } else { (&replicas[index - 1], true) })
    }

    /// Any primary: for commands that have no key.
    pub fn any(&self) -> Option<&Server> {
        self.shards.first().map(|shard| &shard.primary)
    }
}

fn slot(reply: &Reply<'_>) -> Option<u16> {
    let Reply::Integer(number) = reply else { return None };
    u16::try_from(*number).ok().filter(|slot| *slot < SLOTS)
}

/// Host, port, and more. A node whose host nobody knows yet is left out.
fn server(reply: &Reply<'_>, asked: &Server) -> Result<Option<Server>, ()> {
    let Reply::Array(fields) = reply else { return Err(()) };
    let [host, Reply::Integer(port), rest @ ..] = fields.as_slice() else { return Err(()) };
    let port = u16::try_from(*port).map_err(drop)?;
    let host = match host {
        Reply::Nil => b"",
        // A name is preferred and none is set: the number stands behind the id of the node.
        Reply::Bulk(b"?") => match rest.get(1).and_then(number_of_host) {
            Some(host) => host,
            None => return Ok(None),
        },
        Reply::Bulk(host) => *host,
        _ => return Err(()),
    };
    Ok(Some(asked.beside(std::str::from_utf8(host).map_err(drop)?, port)))
}

/// The value of `ip`, in a list or a map of names and values.
fn number_of_host<'a>(reply: &Reply<'a>) -> Option<&'a [u8]> {
    super::service::field(reply, "ip")
}

#[cfg(test)]
mod tests {
    use super::super::super::resp;
    use super::*;

    fn tcp(host: &str, port: u16) -> Server {
        Server::Tcp(host.to_owned(), port)
    }

    fn read(wire: &str) -> Result<SlotMap, Problem> {
        SlotMap::parse(&resp::parse(wire.as_bytes(), &mut 0).unwrap(), &tcp("asked", 7000))
    }

    /// Two shards, the first with a replica and in two pieces; as Redis 7 says it, with ids and metadata.
    const TWO: &str = "*3\r\n\
        *4\r\n:0\r\n:100\r\n\
          *4\r\n$8\r\n10.0.0.1\r\n:1\r\n$2\r\nid\r\n*2\r\n$8\r\nhostname\r\n$1\r\nx\r\n\
          *4\r\n$8\r\n10.0.0.2\r\n:2\r\n$2\r\nid\r\n*0\r\n\
        *3\r\n:101\r\n:16382\r\n*2\r\n$0\r\n\r\n:3\r\n\
        *4\r\n:16383\r\n:16383\r\n*3\r\n$8\r\n10.0.0.1\r\n:1\r\n$2\r\nid\r\n*3\r\n$8\r\n10.0.0.2\r\n:2\r\n$2\r\nid\r\n";

    #[test]
    fn slots_have_a_primary_and_replicas() {
        let map = read(TWO).unwrap();
        assert_eq!(map.shards().len(), 2);
        let first = Shard { primary: tcp("10.0.0.1", 1), replicas: vec![tcp("10.0.0.2", 2)] };
        for slot in [0, 100, 16383] {
            assert_eq!(map.shard(slot), Some(&first));
        }
        assert_eq!(map.shard(101).unwrap().primary, tcp("asked", 3));
        assert_eq!(map.shard(16384), None);
        assert!(SlotMap::default().is_empty());
        assert_eq!(SlotMap::default().shard(0), None);
    }

    #[test]
    fn slots_that_nobody_has_are_nobodys() {
        let map = read("*1\r\n*3\r\n:5\r\n:5\r\n*2\r\n$1\r\na\r\n:1\r\n").unwrap();
        assert_eq!((map.shard(4), map.shard(6)), (None, None));
        assert!(map.shard(5).is_some());
    }

    #[test]
    fn a_node_without_a_name_is_found_by_its_number() {
        let named =
            "*1\r\n*3\r\n:5\r\n:5\r\n*4\r\n$1\r\n?\r\n:1\r\n$2\r\nid\r\n*2\r\n$2\r\nip\r\n$1\r\na\r\n";
        assert_eq!(read(named).unwrap().shard(5).unwrap().primary, tcp("a", 1));
        let unknown = "*1\r\n*3\r\n:5\r\n:5\r\n*3\r\n$1\r\n?\r\n:1\r\n$2\r\nid\r\n";
        assert!(read(unknown).unwrap().is_empty());
        let same = "*1\r\n*3\r\n:5\r\n:5\r\n*3\r\n$-1\r\n:1\r\n$2\r\nid\r\n";
        assert_eq!(read(same).unwrap().shard(5).unwrap().primary, tcp("asked", 1));
    }

    #[test]
    fn a_moved_slot_has_its_new_owner_at_once() {
        let mut map = read(TWO).unwrap();
        map.moved(50, tcp("asked", 3));
        assert_eq!(map.shard(50), map.shard(101));
        map.moved(51, tcp("new", 1));
        assert_eq!(map.shard(51).unwrap().primary, tcp("new", 1));
        assert_eq!(map.shard(52).unwrap().primary, tcp("10.0.0.1", 1));
        map.moved(SLOTS, tcp("new", 1));
        let mut empty = SlotMap::default();
        empty.moved(7, tcp("new", 1));
        assert_eq!(empty.shard(7).unwrap().primary, tcp("new", 1));
    }

    #[test]
    fn reads_go_where_they_are_wanted_and_writes_to_the_primary() {
        let map = read(TWO).unwrap();
        let node = |effect, read_from, random| map.node(0, effect, read_from, random).unwrap();
        let (primary, replica) = (tcp("10.0.0.1", 1), tcp("10.0.0.2", 2));
        for read_from in [ReadFrom::Usual, ReadFrom::Primary] {
            assert_eq!(node(Effect::Read, read_from, 0.9), (&primary, false));
        }
        assert_eq!(node(Effect::Read, ReadFrom::Replicas, 0.0), (&replica, true));
        assert_eq!(node(Effect::Read, ReadFrom::Any, 0.0), (&primary, false));
        assert_eq!(node(Effect::Read, ReadFrom::Any, 0.9), (&replica, true));
        assert_eq!(node(Effect::Idempotent, ReadFrom::Replicas, 0.9), (&primary, false));
        assert_eq!(map.node(101, Effect::Read, ReadFrom::Replicas, 0.9), Some((&tcp("asked", 3), false)));
    }

    #[test]
    fn other_replies_are_refused() {
        assert!(matches!(
            read("-ERR This instance has cluster support disabled\r\n"),
            Err(Problem::Refused(_))
        ));
        for wrong in [
            "+OK\r\n",
            "*1\r\n:1\r\n",
            "*1\r\n*2\r\n:1\r\n:2\r\n",
            "*1\r\n*3\r\n:1\r\n:99999\r\n*2\r\n$1\r\na\r\n:1\r\n",
        ] {
            assert!(matches!(read(wrong), Err(Problem::Malformed(_))), "{wrong}");
        }
    }
}
