//! Which node has a key. A key must go where the established client of the same site puts it.
use crate::hash::{md5_numbers, murmur3_of_characters, one_at_a_time};
use crate::key::Key;
use hotclub_net::Server;
use std::fmt;
use std::str::FromStr;

/// The port where memcached listens by default.
pub const DEFAULT_PORT: u16 = 11211;

/// How keys are shared out among nodes. There is no rule called just "ketama": name the client that you follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Distribution {
    /// pymemcache's: the node with the highest score of node and key. The order of the nodes does not matter.
    #[default]
    Rendezvous,
    /// libmemcached's default, and so pylibmc's: a hash of the key, modulo the number of nodes.
    Modula,
    /// libmemcached's `ketama`: 100 points a node on a ring.
    Ketama,
    /// libmemcached's `ketama_weighted`: 160 points a node, by MD5. All nodes weigh the same here.
    KetamaWeighted,
}

/// The names in URLs and options.
const NAMES: [(Distribution, &str); 4] = [
    (Distribution::Rendezvous, "pymemcache"),
    (Distribution::Modula, "modula"),
    (Distribution::Ketama, "ketama"),
    (Distribution::KetamaWeighted, "ketama_weighted"),
];

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = NAMES.iter().find(|(distribution, _)| distribution == self);
        f.write_str(named.map_or("", |(_, name)| name))
    }
}

impl FromStr for Distribution {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let named = NAMES.iter().find(|(_, other)| *other == name);
        named.map(|(distribution, _)| *distribution).ok_or_else(|| {
            let names: Vec<_> = NAMES.iter().map(|(_, name)| *name).collect();
            format!("{name:?} is no distribution: there are {}", names.join(", "))
        })
    }
}

/// The nodes of a fleet, ready to be asked whose a key is.
#[derive(Debug, Clone)]
pub struct Placement {
    rule: Rule,
    nodes: usize,
}

#[derive(Debug, Clone)]
enum Rule {
    One,
    /// The names of the nodes, with the dash that stands before the key.
    Rendezvous(Vec<String>),
    Modula,
    Ring(Vec<(u32, usize)>, fn(&[u8]) -> u32),
}

impl Placement {
    /// Prepares the choice among these nodes, which are later named by their place in the list.
    pub fn new(distribution: Distribution, servers: &[Server]) -> Placement {
        let rule = match distribution {
            _ if servers.len() < 2 => Rule::One,
            Distribution::Rendezvous => {
                Rule::Rendezvous(servers.iter().map(|server| format!("{}-", name(server))).collect())
            }
            Distribution::Modula => Rule::Modula,
            Distribution::Ketama => Rule::Ring(ketama(servers), one_at_a_time),
            Distribution::KetamaWeighted => Rule::Ring(weighted(servers), |key| md5_numbers(key)[0]),
        };
        Placement { rule, nodes: servers.len() }
    }

    /// The place of the node that has this key.
    #[inline]
    pub fn node_of(&self, key: &Key<'_>) -> usize {
        match &self.rule {
            Rule::One => 0,
            Rule::Rendezvous(names) => best(names, key, |_| true).unwrap_or(0),
            Rule::Modula => one_at_a_time(key.as_bytes()) as usize % self.nodes,
            Rule::Ring(points, hash) => {
                let hash = hash(key.as_bytes());
                let at = points.partition_point(|(point, _)| *point < hash);
                points.get(at).or(points.first()).map_or(0, |(_, place)| *place)
            }
        }
    }
}

impl Placement {
    /// The same among the nodes that are in the ring, where the rule can do that; among all, if none is.
    #[cold]
    pub fn node_among(&self, key: &Key<'_>, is_in: impl Fn(usize) -> bool) -> usize {
        let found = match &self.rule {
            Rule::Rendezvous(names) => best(names, key, is_in),
            _ => None,
        };
        found.unwrap_or_else(|| self.node_of(key))
    }
}

/// The node with the highest score, of those that count; of equal scores the greater name wins.
#[inline]
fn best(names: &[String], key: &Key<'_>, counts: impl Fn(usize) -> bool) -> Option<usize> {
    let score = |name: &String| murmur3_of_characters(name.chars().chain(key.characters()));
    let counting = names.iter().enumerate().filter(|(place, _)| counts(*place));
    let scored = counting.map(|(place, name)| (score(name), name, place));
    scored.max_by(|one, other| (one.0, one.1).cmp(&(other.0, other.1))).map(|best| best.2)
}

/// As pymemcache names a node: the port always, no brackets, the bare path of a socket.
fn name(server: &Server) -> String {
    match server {
        Server::Tcp(host, port) => format!("{host}:{port}"),
        Server::Unix(path) => path.display().to_string(),
    }
}

/// As libmemcached names a node: without the port if it is the usual one.
fn label(server: &Server) -> String {
    match server {
        Server::Tcp(host, DEFAULT_PORT) => host.clone(),
        Server::Tcp(host, port) => format!("{host}:{port}"),
        Server::Unix(path) => format!("{}:0", path.display()),
    }
}

fn ketama(servers: &[Server]) -> Vec<(u32, usize)> {
    ring(servers, 100, |label, number, points| {
        points.push(one_at_a_time(format!("{label}-{number}").as_bytes()))
    })
}

fn weighted(servers: &[Server]) -> Vec<(u32, usize)> {
    ring(servers, digests_a_node(servers.len()), |label, number, points| {
        points.extend(md5_numbers(format!("{label}-{number}").as_bytes()));
    })
}

/// What libmemcached computes for nodes of equal weight, in single precision at each step: 40, at times 39.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn digests_a_node(nodes: usize) -> usize {
    let nodes = nodes as f32;
    let share = 1.0_f32 / nodes;
    (f64::from(share * 160.0 / 4.0 * nodes) + 1e-10).floor() as usize
}

fn ring(servers: &[Server], numbers: usize, add: impl Fn(&str, usize, &mut Vec<u32>)) -> Vec<(u32, usize)> {
    let mut all = Vec::new();
    let mut points = Vec::new();
    for (place, server) in servers.iter().enumerate() {
        let label = label(server);
        (0..numbers).for_each(|number| add(&label, number, &mut points));
        all.extend(points.drain(..).map(|point| (point, place)));
    }
    all.sort_unstable();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes() -> Vec<Server> {
        (11211..=11213).map(|port| Server::Tcp("127.0.0.1".into(), port)).collect()
    }

    /// Measured on live servers behind pymemcache 4.0.0 and pylibmc 1.6.3.
    #[test]
    fn keys_are_where_the_established_clients_put_them() {
        let vectors = [
            ("a", [2, 0, 1, 1]),
            (":1:foo", [0, 2, 2, 2]),
            (":1:user:42", [1, 1, 2, 2]),
            (":1:é", [2, 2, 1, 1]),
            (":1:日本", [0, 2, 2, 1]),
            (":1:session.abc", [2, 1, 1, 2]),
        ];
        for (rule, (distribution, name)) in NAMES.into_iter().enumerate() {
            let placement = Placement::new(distribution, &nodes());
            for (key, places) in vectors {
                assert_eq!(placement.node_of(&Key::new(key).unwrap()), places[rule], "{key} by {name}");
            }
        }
    }

    #[test]
    fn rings_have_the_points_that_libmemcached_makes() {
        assert_eq!(weighted(&nodes())[..3], [(0x00f3_5431, 1), (0x00fd_272f, 0), (0x016e_ff02, 1)]);
        assert_eq!(ketama(&nodes())[..3], [(0x003c_f523, 0), (0x007c_747e, 0), (0x02a1_faf2, 1)]);
        assert_eq!((weighted(&nodes()).len(), ketama(&nodes()).len()), (480, 300));
        let odd: Vec<_> = (1..=64).filter(|&nodes| digests_a_node(nodes) != 40).collect();
        assert_eq!(odd, [25, 47, 50, 55, 61]);
        assert!(odd.iter().all(|&nodes| digests_a_node(nodes) == 39));
    }

    #[test]
    fn keys_of_a_node_that_left_go_to_the_next_best_and_no_others_move() {
        let placement = Placement::new(Distribution::Rendezvous, &nodes());
        let fewer: Vec<_> = nodes().into_iter().take(2).collect();
        let without = Placement::new(Distribution::Rendezvous, &fewer);
        for number in 0..200 {
            let text = format!(":1:{number}");
            let key = Key::new(&text).unwrap();
            let home = placement.node_of(&key);
            let now = placement.node_among(&key, |node| node != 2);
            assert_eq!(now, if home == 2 { without.node_of(&key) } else { home });
            assert_eq!(placement.node_among(&key, |_| false), home, "among all, if none is in");
        }
    }

    #[test]
    fn names_are_read_back_and_others_are_refused() {
        for (distribution, name) in NAMES {
            assert_eq!((name.parse(), distribution.to_string().as_str()), (Ok(distribution), name));
        }
        assert!("consistent".parse::<Distribution>().unwrap_err().contains("pymemcache, modula, ketama"));
    }

    #[test]
    fn one_node_has_everything() {
        let placement = Placement::new(Distribution::Ketama, &nodes()[..1]);
        assert!((0..100).all(|number| placement.node_of(&Key::new(number.to_string()).unwrap()) == 0));
    }
}
