//! A few lines of the Redis protocol, so that the kit can ask its servers without the client that is tested.
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// No answer takes longer, unless the server is paused.
pub(super) const LIMIT: Duration = Duration::from_secs(10);

/// What a server said. As text ([`fmt::Display`]) it is its content, an array one item a line, nil `(nil)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A status, as `OK`.
    Status(String),
    /// An error with its code in front, as `ERR no such key`.
    Error(String),
    /// A number.
    Integer(i64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Nothing: no such key.
    Nil,
    /// Several replies.
    Array(Vec<Reply>),
}

impl fmt::Display for Reply {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Status(text) | Reply::Error(text) => out.write_str(text),
            Reply::Integer(number) => number.fmt(out),
            Reply::Bytes(bytes) => out.write_str(&String::from_utf8_lossy(bytes)),
            Reply::Nil => out.write_str("(nil)"),
            Reply::Array(items) => {
                let lines: Vec<String> = items.iter().map(Reply::to_string).collect();
                out.write_str(&lines.join("\n"))
            }
        }
    }
}

/// A connection to a server's unix socket.
pub(super) struct Admin {
    stream: BufReader<UnixStream>,
}

impl Admin {
    pub(super) fn connect(socket: &Path, password: Option<&str>) -> io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        let mut admin = Admin { stream: BufReader::new(stream) };
        if let Some(password) = password {
            admin.ask(&[b"AUTH", password.as_bytes()])?;
        }
        Ok(admin)
    }

    /// Sends one command and reads its reply.
    pub(super) fn ask(&mut self, words: &[&[u8]]) -> io::Result<Reply> {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            write!(request, "${}\r\n", word.len())?;
            request.extend_from_slice(word);
            request.extend_from_slice(b"\r\n");
        }
        self.stream.get_mut().write_all(&request)?;
        self.reply()
    }

    fn reply(&mut self) -> io::Result<Reply> {
        let line = self.line()?;
        let (kind, rest) = line.split_at_checked(1).ok_or_else(|| strange(&line))?;
        let number = || rest.parse::<i64>().map_err(|_| strange(&line));
        Ok(match kind {
            "+" => Reply::Status(rest.to_owned()),
            "-" => Reply::Error(rest.to_owned()),
            ":" => Reply::Integer(number()?),
            "$" | "*" if number()? < 0 => Reply::Nil,
            "$" => Reply::Bytes(self.bytes(number()?)?),
            "*" => Reply::Array((0..number()?).map(|_| self.reply()).collect::<io::Result<_>>()?),
            _ => return Err(strange(&line)),
        })
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        if !line.ends_with("\r\n") {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        line.truncate(line.len() - 2);
        Ok(line)
    }

    fn bytes(&mut self, length: i64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default() + 2];
        self.stream.read_exact(&mut bytes)?;
        bytes.truncate(bytes.len() - 2);
        Ok(bytes)
    }
}

fn strange(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not a reply: {line:?}"))
}
