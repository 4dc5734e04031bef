//! What sentinels are asked about a service, and what they say. Pure: every door uses it.
use super::super::batch::{Batch, Effect};
use super::super::error::Problem;
use super::super::resp::Reply;
use super::super::server::Server;

/// Writes two questions about the service of this name: for [`primary`], and for [`replicas`].
pub fn ask(batch: &mut Batch, name: &str) {
    batch.start("discover", Effect::Read, false);
    batch.command("SENTINEL", 3).arg(b"get-master-addr-by-name").arg(name.as_bytes());
    batch.command("SENTINEL", 3).arg(b"REPLICAS").arg(name.as_bytes());
}

/// The second question as sentinels before Redis 5 understand it, who answer the other one with an error.
pub fn ask_for_slaves(batch: &mut Batch, name: &str) {
    batch.start("discover", Effect::Read, false);
    batch.command("SENTINEL", 3).arg(b"SLAVES").arg(name.as_bytes());
}

/// Where the primary is. Whether it really is one, only it can tell: [`check_role`].
///
/// # Errors
/// The sentinel does not know the service, refuses, or says something else.
pub fn primary(reply: &Reply<'_>, name: &str, asked: &Server) -> Result<Server, Problem> {
    match reply {
        Reply::Nil => Err(Problem::Nobody(format!("it knows no service {name:?}"))),
        Reply::Error(text) => Err(Problem::from(*text)),
        Reply::Array(address) => match address.as_slice() {
            [Reply::Bulk(host), Reply::Bulk(port)] => server(host, port, asked),
            _ => None,
        }
        .ok_or_else(|| Problem::unexpected(reply)),
        other => Err(Problem::unexpected(other)),
    }
}

/// The replicas that can be read from: those that are up, and in touch with their primary.
///
/// # Errors
/// The sentinel refuses, or says something else.
pub fn replicas(reply: &Reply<'_>, asked: &Server) -> Result<Vec<Server>, Problem> {
    match reply {
        Reply::Error(text) => Err(Problem::from(*text)),
        Reply::Array(replicas) => Ok(replicas.iter().filter_map(|replica| live(replica, asked)).collect()),
        other => Err(Problem::unexpected(other)),
    }
}

fn live(replica: &Reply<'_>, asked: &Server) -> Option<Server> {
    const DOWN: [&[u8]; 3] = [b"s_down", b"o_down", b"disconnected"];
    let flags = field(replica, "flags")?;
    let is_down = flags.split(|&byte| byte == b',').any(|flag| DOWN.contains(&flag));
    // It would answer with what it had when it lost its primary.
    let is_cut_off = field(replica, "master-link-status").is_some_and(|status| status != b"ok");
    if is_down || is_cut_off {
        return None;
    }
    server(field(replica, "ip")?, field(replica, "port")?, asked)
}

fn server(host: &[u8], port: &[u8], asked: &Server) -> Option<Server> {
    let (host, port) = (std::str::from_utf8(host).ok()?, std::str::from_utf8(port).ok()?);
    Some(asked.beside(host, port.parse().ok()?))
}

/// The value of this name: in a list of names and values, as RESP2 has it, or in a map.
pub(super) fn field<'a>(reply: &Reply<'a>, name: &str) -> Option<&'a [u8]> {
    let is_name = |reply: &Reply<'_>| matches!(reply, Reply::Bulk(bytes) if *bytes == name.as_bytes());
    let value = match reply {
        Reply::Array(items) => &items.chunks_exact(2).find(|pair| is_name(&pair[0]))?[1],
        Reply::Map(pairs) => &pairs.iter().find(|(field, _)| is_name(field))?.1,
        _ => return None,
    };
    if let Reply::Bulk(bytes) = value { Some(bytes) } else { None }
}

/// Whether the reply to `ROLE` is that of a primary.
///
/// A user who may not ask gets the benefit of the doubt.
///
/// # Errors
/// `READONLY` for a replica, as its replies to writes have it; the server's refusal.
pub fn check_role(reply: &Reply<'_>) -> Result<(), Problem> {
    match reply {
        Reply::Array(role) => match role.first() {
            Some(Reply::Bulk(b"master")) => Ok(()),
            Some(Reply::Bulk(role)) => {
                let role = String::from_utf8_lossy(role);
                Err(Problem::Refused(format!("READONLY it is no primary but has the role {role:?}")))
            }
            _ => Err(Problem::unexpected(reply)),
        },
        Reply::Error(text) if text.starts_with(b"NOPERM") => Ok(()),
        Reply::Error(text) => Err(Problem::from(*text)),
        other => Err(Problem::unexpected(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::resp;
    use super::*;

    fn reply(wire: &str) -> Reply<'_> {
        resp::parse(wire.as_bytes(), &mut 0).unwrap()
    }

    fn tcp(host: &str, port: u16) -> Server {
        Server::Tcp(host.to_owned(), port)
    }

    fn bulks(words: &[&str]) -> String {
        let words = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
        words.collect::<String>()
    }

    #[test]
    fn a_primary_is_a_host_and_a_port() {
        let asked = tcp("sentinel", 26379);
        let named = format!("*2\r\n{}", bulks(&["10.0.0.1", "6379"]));
        assert_eq!(primary(&reply(&named), "main", &asked).unwrap(), tcp("10.0.0.1", 6379));
        let unknown = primary(&reply("*-1\r\n"), "main", &asked).unwrap_err();
        assert!(matches!(unknown, Problem::Nobody(text) if text.contains("main")));
        assert!(matches!(primary(&reply("-ERR x\r\n"), "main", &asked), Err(Problem::Refused(_))));
        for wrong in [":1\r\n", "*1\r\n:1\r\n", "*2\r\n$1\r\na\r\n$1\r\nb\r\n"] {
            assert!(matches!(primary(&reply(wrong), "main", &asked), Err(Problem::Malformed(_))), "{wrong}");
        }
    }

    #[test]
    fn replicas_that_are_down_or_cut_off_are_left_out() {
        let one = |host, flags, link| {
            let words = ["name", "x", "ip", host, "port", "1", "flags", flags, "master-link-status", link];
            bulks(&words)
        };
        let rows = [
            one("a", "slave", "ok"),
            one("b", "s_down,slave", "ok"),
            one("c", "slave,disconnected", "ok"),
            one("d", "slave", "err"),
        ];
        let flat: String = rows.iter().map(|row| format!("*10\r\n{row}")).collect();
        let maps: String = rows.iter().map(|row| format!("%5\r\n{row}")).collect();
        for rows in [flat, maps] {
            let text = format!("*4\r\n{rows}");
            assert_eq!(replicas(&reply(&text), &tcp("sentinel", 1)).unwrap(), [tcp("a", 1)]);
        }
        assert!(replicas(&reply("-ERR unknown subcommand\r\n"), &tcp("sentinel", 1)).is_err());
    }

    #[test]
    fn only_a_primary_is_a_primary() {
        check_role(&reply("*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n")).unwrap();
        check_role(&reply("-NOPERM User x has no permissions to run the 'role' command\r\n")).unwrap();
        let replica = check_role(&reply("*2\r\n$5\r\nslave\r\n$1\r\na\r\n")).unwrap_err();
        assert!(matches!(replica, Problem::Refused(text) if text.starts_with("READONLY")));
        assert!(check_role(&reply("-LOADING x\r\n")).is_err());
        assert!(check_role(&reply(":1\r\n")).is_err());
    }
}
