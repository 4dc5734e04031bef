//! What replies mean, for every door.
use super::batch;
use super::error::Problem;
use super::resp::{Malformed, Reply};
use crate::clock::Clock;
use crate::entry::{Entry, Flags};
use bytes::Bytes;

/// The replies to a batch, in the order of its commands.
pub(super) type Replies<'r, 'a> = &'r mut batch::Replies<'a>;

/// What the server says instead of what was expected.
pub(super) fn refusal(reply: Reply<'_>) -> Problem {
    match reply {
        Reply::Error(text) => Problem::from(text),
        other => Problem::unexpected(&other),
    }
}

/// The next reply; there must be one.
pub(super) fn next<'a>(replies: Replies<'_, 'a>) -> Result<Reply<'a>, Problem> {
    Ok(replies.next().unwrap_or(Err(Malformed("there is no reply")))?)
}

fn integer(reply: Reply<'_>) -> Result<i64, Problem> {
    match reply {
        Reply::Integer(number) => Ok(number),
        other => Err(refusal(other)),
    }
}

/// Above 0.
pub(super) fn truth(replies: Replies<'_, '_>) -> Result<bool, Problem> {
    Ok(integer(next(replies)?)? > 0)
}

/// Whether the last of all replies is above 0; there is one at least.
pub(super) fn last_truth(replies: Replies<'_, '_>) -> Result<bool, Problem> {
    let mut last = truth(replies)?;
    for reply in replies {
        last = integer(reply?)? > 0;
    }
    Ok(last)
}

/// The sum of all replies.
pub(super) fn sum(replies: Replies<'_, '_>) -> Result<u64, Problem> {
    let mut sum = 0;
    for reply in replies {
        sum += u64::try_from(integer(reply?)?).unwrap_or(0);
    }
    Ok(sum)
}

fn digits_of(digits: &[u8]) -> Result<i64, Problem> {
    let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    number.ok_or_else(|| Problem::unexpected(&Reply::Bulk(digits)))
}

/// A number, as such or in digits, or nil.
pub(super) fn maybe_integer(replies: Replies<'_, '_>) -> Result<Option<i64>, Problem> {
    match next(replies)? {
        Reply::Bulk(digits) => Ok(Some(digits_of(digits)?)),
        Reply::Nil => Ok(None),
        reply => integer(reply).map(Some),
    }
}

/// `OK`, or nil for a condition that did not hold.
pub(super) fn done(replies: Replies<'_, '_>) -> Result<bool, Problem> {
    match next(replies)? {
        Reply::Status(_) => Ok(true),
        Reply::Nil => Ok(false),
        other => Err(refusal(other)),
    }
}

/// Every reply is a success; that of `EXEC` holds further ones.
pub(super) fn all_done(replies: Replies<'_, '_>) -> Result<(), Problem> {
    for reply in replies {
        match reply? {
            Reply::Array(replies) => replies.into_iter().try_for_each(success)?,
            reply => success(reply)?,
        }
    }
    Ok(())
}

fn success(reply: Reply<'_>) -> Result<(), Problem> {
    match reply {
        Reply::Status(_) | Reply::Integer(_) => Ok(()),
        other => Err(refusal(other)),
    }
}

fn entry(reply: Reply<'_>) -> Result<Option<Entry>, Problem> {
    match reply {
        Reply::Bulk(bytes) => Ok(Some(Entry::new(Bytes::copy_from_slice(bytes), Flags::RAW))),
        Reply::Nil => Ok(None),
        other => Err(refusal(other)),
    }
}

/// A value, or nil.
pub(super) fn one_entry(replies: Replies<'_, '_>) -> Result<Option<Entry>, Problem> {
    entry(next(replies)?)
}

/// So many values or nils, in one reply or in a reply for each.
pub(super) fn entries(replies: Replies<'_, '_>, count: usize) -> Result<Vec<Option<Entry>>, Problem> {
    let mut found = Vec::with_capacity(count);
    for reply in replies {
        match reply? {
            Reply::Array(values) => {
                for value in values {
                    found.push(entry(value)?);
                }
            }
            value => found.push(entry(value)?),
        }
    }
    if found.len() != count {
        return Err(Problem::Malformed(format!("{} values for {count} keys", found.len())));
    }
    Ok(found)
}

/// The replies to `MULTI`, `GET`, `PTTL` and `EXEC`: the last one holds the value and the time left.
pub(super) fn entry_with_ttl(replies: Replies<'_, '_>) -> Result<Option<Entry>, Problem> {
    for _ in ["MULTI", "GET", "PTTL"] {
        // A refusal here says why; what `EXEC` says afterwards is only that there was one.
        match next(replies)? {
            Reply::Status(_) => {}
            other => return Err(refusal(other)),
        }
    }
    let (value, left) = match next(replies)? {
        Reply::Array(both) => match <[Reply<'_>; 2]>::try_from(both) {
            Ok([value, left]) => (value, integer(left)?),
            Err(other) => return Err(Problem::unexpected(&Reply::Array(other))),
        },
        other => return Err(refusal(other)),
    };
    let Some(mut entry) = entry(value)? else { return Ok(None) };
    let clock = Clock::system();
    let deadline = |left| clock.deadline(clock.now_ms() + left);
    entry.deadline = u64::try_from(left).ok().map(deadline);
    Ok(Some(entry))
}

/// A cursor, and keys.
pub(super) fn scanned(replies: Replies<'_, '_>) -> Result<(Vec<u8>, Vec<Vec<u8>>), Problem> {
    let reply = next(replies)?;
    if let Reply::Array(both) = &reply
        && let [Reply::Bulk(cursor), Reply::Array(keys)] = both.as_slice()
    {
        let bytes = |key: &Reply<'_>| match key {
            Reply::Bulk(bytes) => Ok(bytes.to_vec()),
            other => Err(Problem::unexpected(other)),
        };
        return Ok((cursor.to_vec(), keys.iter().map(bytes).collect::<Result<_, _>>()?));
    }
    Err(refusal(reply))
}
