//! What can go wrong between here and a database server, and what may be done about it.
use super::config::Vendor;
use crate::backend::database::error::Problem;
use crate::error::{Error, ErrorKind};
use hotclub_net::Effect;
use std::time::Duration;

/// Why a verb did not end as it should.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    /// No connection; nothing was sent.
    Connect(ErrorKind, String),
    /// The connection broke: what was sent may have been done.
    Lost(String),
    /// No answer within the limit: it may have been done.
    ReplyLimit(Duration),
    /// The server's own words; nothing was done.
    Refused(ErrorKind, String),
    /// The server gave it up for the sake of another: nothing was done, and it may be tried again.
    Conflict(String),
    /// The table is not there (any more).
    NoTable(String),
    /// What the verb itself says; nothing was done.
    Verb(Error),
}

impl Trouble {
    /// The connection can be used for the next statement.
    pub(super) fn leaves_connection(&self) -> bool {
        let ends = matches!(self, Trouble::Connect(..) | Trouble::Lost(_) | Trouble::ReplyLimit(_));
        // MySQL does not read the rest of a packet that is too large.
        !ends && !self.is_too_large()
    }

    /// The value is larger than the server takes.
    pub(super) fn is_too_large(&self) -> bool {
        matches!(self, Trouble::Refused(ErrorKind::TooLarge, _))
    }

    /// The error of a verb with this effect.
    pub(super) fn into_error(self, vendor: Vendor, verb: &'static str, effect: Effect, place: &str) -> Error {
        let sent = |kind| if effect == Effect::Once { ErrorKind::Ambiguous } else { kind };
        let (kind, message) = match self {
            Trouble::Verb(error) => return error.at(vendor.scheme(), verb),
            Trouble::Connect(kind, message) | Trouble::Refused(kind, message) => (kind, message),
            Trouble::Lost(message) => (sent(ErrorKind::Unavailable), message),
            Trouble::ReplyLimit(limit) => {
                (sent(ErrorKind::Timeout), format!("no answer within {} s", limit.as_secs_f64()))
            }
            Trouble::Conflict(message) => (ErrorKind::Unavailable, message),
            Trouble::NoTable(message) => (ErrorKind::Refused, message),
        };
        Problem::new(kind, place, message).into_error(vendor.scheme(), verb)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Trouble::Verb(error)
    }
}

impl From<sqlx::Error> for Trouble {
    /// What was met on a connection that was there.
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => database(&*error),
            sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Trouble::Lost("the server closed the connection".to_owned())
            }
            sqlx::Error::Io(error) => Trouble::Lost(hotclub_net::problem::reason(&error)),
            sqlx::Error::Encode(error) => Trouble::Refused(ErrorKind::TooLarge, error.to_string()),
            other => Trouble::Lost(other.to_string()),
        }
    }
}

/// What was met on the way to a connection.
pub(super) fn connecting(error: sqlx::Error) -> Trouble {
    match error {
        sqlx::Error::Tls(error) => Trouble::Connect(ErrorKind::Unavailable, format!("TLS: {error}")),
        sqlx::Error::Configuration(error) => Trouble::Connect(ErrorKind::Config, error.to_string()),
        other => match Trouble::from(other) {
            Trouble::Lost(text) => Trouble::Connect(ErrorKind::Unavailable, text),
            Trouble::Refused(kind, text) => Trouble::Connect(kind, text),
            other => other,
        },
    }
}

fn database(error: &dyn sqlx::error::DatabaseError) -> Trouble {
    let message = error.message().to_owned();
    #[cfg(feature = "mysql")]
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return of_mysql(error.number(), message);
    }
    of_postgres(&error.code().unwrap_or_default(), message)
}

/// By the table of SQLSTATEs in PostgreSQL's manual, appendix A.
fn of_postgres(state: &str, message: String) -> Trouble {
    match state {
        "40001" | "40P01" => Trouble::Conflict(message),
        "42P01" => Trouble::NoTable(message),
        // The server ends, has no room for us, has forgotten what was prepared, or was waited upon in a transaction for
        // too long: a connection of no use.
        "57P01" | "57P02" | "57P03" | "57P05" | "53300" | "26000" | "25P03" | "25P04" => {
            Trouble::Lost(message)
        }
        "57014" | "55P03" => Trouble::Refused(ErrorKind::Timeout, message),
        "22001" | "22021" => Trouble::Refused(ErrorKind::InvalidKey, message),
        _ if state.starts_with("54") => Trouble::Refused(ErrorKind::TooLarge, message),
        _ if state.starts_with("08") => Trouble::Lost(message),
        _ => Trouble::Refused(ErrorKind::Refused, message),
    }
}

/// By the numbers in MySQL's "Server Error Message Reference" and MariaDB's.
#[cfg(feature = "mysql")]
fn of_mysql(number: u16, message: String) -> Trouble {
    match number {
        // A deadlock; a row that changed since MariaDB's snapshot.
        1213 | 1020 => Trouble::Conflict(message),
        1146 => Trouble::NoTable(message),
        // Too many connections, shutting down, killed, idle for too long.
        1040 | 1053 | 1077 | 1203 | 1927 | 4031 => Trouble::Lost(message),
        1205 | 1969 | 3024 => Trouble::Refused(ErrorKind::Timeout, message),
        1153 | 1406 => Trouble::Refused(ErrorKind::TooLarge, message),
        _ => Trouble::Refused(ErrorKind::Refused, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_been_done_is_told_apart() {
        let kind =
            |trouble: Trouble, effect| trouble.into_error(Vendor::Postgres, "incr", effect, "a").kind();
        let lost = || Trouble::Lost("the server closed the connection".into());
        let late = || Trouble::ReplyLimit(Duration::from_secs(1));
        assert_eq!(kind(lost(), Effect::Once), ErrorKind::Ambiguous);
        assert_eq!(kind(late(), Effect::Once), ErrorKind::Ambiguous);
        assert_eq!(kind(lost(), Effect::Read), ErrorKind::Unavailable);
        assert_eq!(kind(late(), Effect::Idempotent), ErrorKind::Timeout);
        let refused = Trouble::Connect(ErrorKind::Unavailable, "connection refused".into());
        assert_eq!(kind(refused, Effect::Once), ErrorKind::Unavailable);
    }

    #[test]
    fn errors_name_room_verb_place_and_cause() {
        let trouble = Trouble::Connect(ErrorKind::Unavailable, "connection refused".into());
        let error = trouble.into_error(Vendor::Postgres, "get", Effect::Read, "127.0.0.1:5432/site");
        let text = "postgres: get failed (127.0.0.1:5432/site): unavailable: connection refused";
        assert_eq!(error.to_string(), text);
    }
}
