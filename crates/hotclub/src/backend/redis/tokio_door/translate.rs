//! To the `redis` crate and back: commands from bytes, replies to bytes. Everything around the crate speaks RESP, as
//! the other doors do; only this file and `wire.rs` know it.
//!
//! The crate has no way to be given bytes or to give them, so each is copied once more here and once more there.
use crate::backend::redis::batch::Received;
use crate::backend::redis::error::{Problem, reason};
use crate::backend::redis::resp::Malformed;
use ::redis::{Cmd, Pipeline, RedisError, Value};
use std::error::Error as _;
use std::io;

/// Re-reads commands, which were written here: `*2\r\n$3\r\nGET\r\n$1\r\na\r\n`, and nothing else.
pub(super) fn commands(bytes: &[u8], count: usize) -> Result<Pipeline, Malformed> {
    let mut pipeline = Pipeline::with_capacity(count);
    let mut rest = bytes;
    while !rest.is_empty() {
        let words = number(b'*', &mut rest)?;
        let mut command = Cmd::with_capacity(words, 0);
        for _ in 0..words {
            let length = number(b'$', &mut rest)?;
            let (word, behind) = rest.split_at_checked(length).ok_or(CUT)?;
            command.arg(word);
            rest = behind.strip_prefix(b"\r\n").ok_or(CUT)?;
        }
        pipeline.add_command(command);
    }
    Ok(pipeline)
}

const CUT: Malformed = Malformed("a command that is none");

fn number(kind: u8, rest: &mut &[u8]) -> Result<usize, Malformed> {
    let end = rest.iter().position(|&byte| byte == b'\r').ok_or(CUT)?;
    let digits = rest[..end].strip_prefix(&[kind]).and_then(|digits| std::str::from_utf8(digits).ok());
    *rest = rest.get(end + 2..).ok_or(CUT)?;
    digits.and_then(|digits| digits.parse().ok()).ok_or(CUT)
}

/// Writes a reply as a server would have.
pub(super) fn reply(value: &Value, into: &mut Received) {
    match value {
        Value::Nil => into.push(b"$-1\r\n"),
        Value::Int(number) => line(b':', number.to_string().as_bytes(), into),
        Value::BulkString(bytes) => bulk(bytes, into),
        Value::SimpleString(text) => line(b'+', text.as_bytes(), into),
        Value::Okay => into.push(b"+OK\r\n"),
        Value::Array(values) | Value::Set(values) | Value::Push { data: values, .. } => {
            line(b'*', values.len().to_string().as_bytes(), into);
            values.iter().for_each(|value| reply(value, into));
        }
        Value::Map(pairs) => {
            line(b'%', pairs.len().to_string().as_bytes(), into);
            pairs.iter().for_each(|(name, value)| {
                reply(name, into);
                reply(value, into);
            });
        }
        Value::Attribute { data, .. } => reply(data, into),
        Value::Double(number) => line(b',', number.to_string().as_bytes(), into),
        Value::Boolean(truth) => line(b'#', if *truth { b"t" } else { b"f" }, into),
        Value::VerbatimString { text, .. } => bulk(text.as_bytes(), into),
        Value::BigNumber(digits) => line(b'(', digits, into),
        Value::ServerError(error) => {
            let text = [error.code(), error.details().unwrap_or_default()].join(" ");
            // One that came with its length, as RESP3 has it, may be of several lines.
            line(b'-', text.trim_end().replace(['\r', '\n'], " ").as_bytes(), into);
        }
        // The crate may learn of more; no command of ours is answered by it.
        _ => into.push(b"_\r\n"),
    }
}

fn line(kind: u8, text: &[u8], into: &mut Received) {
    into.push(&[kind]);
    into.push(text);
    into.push(b"\r\n");
}

fn bulk(bytes: &[u8], into: &mut Received) {
    line(b'$', bytes.len().to_string().as_bytes(), into);
    into.push(bytes);
    into.push(b"\r\n");
}

/// What the crate says went wrong between here and the server.
pub(super) fn problem(error: &RedisError) -> Problem {
    let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    match (error.kind(), io) {
        // The only sign by which a reply that was cut short differs from one that is none.
        (::redis::ErrorKind::Parse, _)
            if error.detail().is_some_and(|text| text.contains("end of input")) =>
        {
            Problem::lost(&io::ErrorKind::UnexpectedEof.into())
        }
        (::redis::ErrorKind::Parse, _) => Malformed("not what a server says").into(),
        (_, Some(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Problem::lost(&io::ErrorKind::UnexpectedEof.into())
        }
        (_, Some(error)) => Problem::Lost(reason(error)),
        (_, None) => Problem::Lost(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::redis::batch::{Batch, Effect};
    use crate::backend::redis::command;
    use crate::backend::redis::resp::parse;

    #[test]
    fn commands_are_sent_byte_by_byte_as_they_were_written() {
        let mut batch = Batch::default();
        batch.start("set_many", Effect::Idempotent, false);
        command::begin_set_many(&mut batch);
        let expiry = Some(command::Expiry::Millis(1500));
        command::set_one(&mut batch, ":1:é".as_bytes(), b"a\r\nb\0\xff", expiry);
        command::set_one(&mut batch, b"", b"", None);
        command::end_set_many(&mut batch);
        let pipeline = commands(batch.bytes(), batch.len()).unwrap();
        assert_eq!((pipeline.get_packed_pipeline().as_slice(), pipeline.len()), (batch.bytes(), 4));
        for end in 1..batch.bytes().len() {
            // Between two commands it looks whole.
            let whole = batch.spans().iter().any(|span| span.end == end);
            assert_eq!(commands(&batch.bytes()[..end], 4).is_ok(), whole, "cut at {end}");
        }
    }

    /// What the crate reads out of the bytes, and is written again, says the same as the bytes.
    #[test]
    fn replies_say_what_they_said() {
        for wire in [
            &b"+OK\r\n"[..],
            b"+QUEUED\r\n",
            b":-42\r\n",
            b"$-1\r\n",
            b"*-1\r\n",
            b"$4\r\na\r\nb\r\n",
            b"-ERR value is not an integer or out of range\r\n",
            b"-NOAUTH\r\n",
            b"*3\r\n$1\r\na\r\n*2\r\n:1\r\n$-1\r\n-WRONGTYPE no\r\n",
            b"*2\r\n-ERR one\r\n*1\r\n-MOVED 7 a:1\r\n",
            b"_\r\n",
            b"#t\r\n",
            b",1.5\r\n",
            b"=6\r\ntxt:hi\r\n",
            b"!6\r\nERR no\r\n",
            b"%1\r\n+a\r\n:1\r\n",
            b"~1\r\n:1\r\n",
            b"|1\r\n+ttl\r\n:1\r\n:7\r\n",
            b"(123456789012345678901234567890\r\n",
        ] {
            let mut again = Received::default();
            reply(&::redis::parse_redis_value(wire).unwrap(), &mut again);
            assert_eq!(parse(again.bytes(), &mut 0), parse(wire, &mut 0), "{}", wire.escape_ascii());
        }
    }
}
