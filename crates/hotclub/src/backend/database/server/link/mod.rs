//! One connection: statements there, answers back. The only place that knows sqlx, with its vendors' files.
//!
//! Not sqlx's pool: that asks the server once more each time a connection is given back, and tries for ever where
//! nobody listens.
use super::config::{ServerConfig, Vendor};
use super::error::{Trouble, connecting};
use super::statement::{Answer, Statement};
use crate::error::ErrorKind;
use sqlx::{Connection, Executor};
use std::time::Duration;
use tokio::time::timeout;

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;

/// For the server: nine tenths of our limit, so that it says that nothing was done before we stop listening.
fn server_limit(reply_limit: Duration) -> Duration {
    const MOST: Duration = Duration::from_secs(1_000_000);
    reply_limit.min(MOST) * 9 / 10
}

/// Statements that a connection keeps prepared.
const PREPARED: usize = 64;

/// A connection to a server.
pub(super) enum Link {
    #[cfg(feature = "postgres")]
    Postgres(sqlx::PgConnection),
    #[cfg(feature = "mysql")]
    MySql(sqlx::MySqlConnection),
}

impl Link {
    /// Connects within the limit.
    pub(super) async fn connect(config: &ServerConfig) -> Result<Link, Trouble> {
        let limit = config.connect_limit;
        let late = |_| {
            let text = format!("no connection within {} s", limit.as_secs_f64());
            Trouble::Connect(ErrorKind::Timeout, text)
        };
        timeout(limit, Link::dial(config)).await.map_err(late)?
    }

    /// A connection whose server gives up what we would not wait for any more: nobody's lock outlives us by much.
    async fn dial(config: &ServerConfig) -> Result<Link, Trouble> {
        let mut link = Link::dial_plainly(config).await?;
        let limits = match config.vendor {
            #[cfg(feature = "postgres")]
            Vendor::Postgres => postgres::limits(config.reply_limit),
            #[cfg(feature = "mysql")]
            Vendor::MySql => mysql::limits(config.reply_limit),
            #[cfg(not(all(feature = "postgres", feature = "mysql")))]
            _ => return Ok(link),
        };
        link.say(limits).await.map_err(|trouble| match trouble {
            Trouble::Lost(text) => Trouble::Connect(ErrorKind::Unavailable, text),
            other => other,
        })?;
        Ok(link)
    }

    async fn dial_plainly(config: &ServerConfig) -> Result<Link, Trouble> {
        match config.vendor {
            #[cfg(feature = "postgres")]
            Vendor::Postgres => postgres::connect(config).await.map(Link::Postgres).map_err(connecting),
            #[cfg(feature = "mysql")]
            Vendor::MySql => mysql::connect(config).await.map(Link::MySql).map_err(connecting),
            #[cfg(not(all(feature = "postgres", feature = "mysql")))]
            _ => Err(Trouble::Connect(ErrorKind::Config, "this vendor is not built in".to_owned())),
        }
    }

    /// One round trip, and one more where the statement is new to this connection.
    pub(super) async fn run(&mut self, statement: Statement<'_>) -> Result<Answer, Trouble> {
        match self {
            #[cfg(feature = "postgres")]
            Link::Postgres(connection) => postgres::run(connection, statement).await,
            #[cfg(feature = "mysql")]
            Link::MySql(connection) => mysql::run(connection, statement).await,
        }
    }

    /// Text without values and without an answer: transactions, and the making of tables.
    pub(super) async fn say(&mut self, text: String) -> Result<(), Trouble> {
        let text = sqlx::raw_sql(sqlx::AssertSqlSafe(text));
        match self {
            #[cfg(feature = "postgres")]
            Link::Postgres(connection) => connection.execute(text).await.map(|_| ())?,
            #[cfg(feature = "mysql")]
            Link::MySql(connection) => connection.execute(text).await.map(|_| ())?,
        }
        Ok(())
    }

    /// Whether the server still answers.
    pub(super) async fn ping(&mut self) -> Result<(), Trouble> {
        match self {
            #[cfg(feature = "postgres")]
            Link::Postgres(connection) => connection.ping().await?,
            #[cfg(feature = "mysql")]
            Link::MySql(connection) => connection.ping().await?,
        }
        Ok(())
    }
}
