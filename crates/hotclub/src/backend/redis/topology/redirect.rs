//! Error replies that say where, or when, a command would be served. Pure: every door uses it.
use super::super::server::Server;

/// What an error reply asks for. Whatever it is, the command was not done: it may be sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirect {
    /// `MOVED`: another node has the slot from now on. Note it in the map, and send the command there.
    Moved(u16, Server),
    /// `ASK`: the slot is on its way. This once, send `ASKING` and the command there; the map stays as it is.
    Ask(u16, Server),
    /// `TRYAGAIN`: the keys of one command are on both sides of a slot that moves. Wait a moment.
    TryAgain,
    /// `CLUSTERDOWN`: the nodes miss one of theirs, and may elect another. Wait a moment, and refresh the map.
    ClusterDown,
    /// `LOADING`: the server has just been started and reads its data. Wait, or ask another one.
    Loading,
    /// `READONLY`: a write came to a replica; it was a primary, perhaps. Look for the primary.
    ReadOnly,
    /// `MASTERDOWN`: a replica has lost its primary and must not answer. Ask another one.
    MasterDown,
}

impl Redirect {
    /// Understands the text of an error reply; `None` for one that is simply an answer.
    ///
    /// `asked` is the server that sent it: a redirection without a host means the same host.
    pub fn parse(text: &[u8], asked: &Server) -> Option<Redirect> {
        let text = std::str::from_utf8(text).ok()?;
        let (code, rest) = text.split_once(' ').unwrap_or((text, ""));
        Some(match code {
            "MOVED" => {
                let (slot, server) = destination(rest, asked)?;
                Redirect::Moved(slot, server)
            }
            "ASK" => {
                let (slot, server) = destination(rest, asked)?;
                Redirect::Ask(slot, server)
            }
            "TRYAGAIN" => Redirect::TryAgain,
            "CLUSTERDOWN" => Redirect::ClusterDown,
            "LOADING" => Redirect::Loading,
            "READONLY" => Redirect::ReadOnly,
            "MASTERDOWN" => Redirect::MasterDown,
            // Within a script, before Redis 7.
            "ERR" if rest.contains("-READONLY ") => Redirect::ReadOnly,
            _ => return None,
        })
    }
}

/// `slot host:port`. IPv6 comes without brackets, so the last colon counts.
fn destination(text: &str, asked: &Server) -> Option<(u16, Server)> {
    let (slot, address) = text.split_once(' ')?;
    let (host, port) = address.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Some((slot.parse().ok().filter(|slot| *slot < super::SLOTS)?, asked.beside(host, port.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Redirect> {
        Redirect::parse(text.as_bytes(), &tcp("asked", 7000))
    }

    fn tcp(host: &str, port: u16) -> Server {
        Server::Tcp(host.to_owned(), port)
    }

    #[test]
    fn redirections_name_a_slot_and_a_server() {
        assert_eq!(parse("MOVED 3999 10.0.0.1:6381"), Some(Redirect::Moved(3999, tcp("10.0.0.1", 6381))));
        assert_eq!(parse("ASK 0 ::1:6381"), Some(Redirect::Ask(0, tcp("::1", 6381))));
        assert_eq!(parse("MOVED 1 [::1]:6381"), Some(Redirect::Moved(1, tcp("::1", 6381))));
        assert_eq!(parse("MOVED 1 node.example:6381"), Some(Redirect::Moved(1, tcp("node.example", 6381))));
        assert_eq!(parse("MOVED 3999 :6381"), Some(Redirect::Moved(3999, tcp("asked", 6381))));
        assert_eq!(parse("ASK 3999 ?:6381"), Some(Redirect::Ask(3999, tcp("asked", 6381))));
    }

    #[test]
    fn other_errors_are_told_apart_by_their_code() {
        assert_eq!(
            parse("TRYAGAIN Multiple keys request during rehashing of slot"),
            Some(Redirect::TryAgain)
        );
        assert_eq!(parse("CLUSTERDOWN Hash slot not served"), Some(Redirect::ClusterDown));
        assert_eq!(parse("LOADING Redis is loading the dataset in memory"), Some(Redirect::Loading));
        assert_eq!(parse("READONLY You can't write against a read only replica."), Some(Redirect::ReadOnly));
        assert_eq!(parse("MASTERDOWN Link with MASTER is down"), Some(Redirect::MasterDown));
        let in_a_script = "ERR Error running script (call to f_1): @user_script:1: -READONLY You can't write";
        assert_eq!(parse(in_a_script), Some(Redirect::ReadOnly));
    }

    #[test]
    fn what_is_no_redirection_is_an_answer() {
        for text in [
            "ERR no such key",
            "WRONGTYPE x",
            "MOVED",
            "MOVED x :1",
            "MOVED 16384 a:1",
            "ASK 1 a:x",
            "",
            "MOVEDX 1 a:1",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(Redirect::parse(b"\xff", &tcp("asked", 1)), None);
    }
}
