//! A verb at work: its connection, and what it knows of the table and its server.
use super::config::ServerConfig;
use super::error::Trouble;
use super::pool::Taken;
use super::statement::{Answer, Statement};
use super::store::{Counts, State};
use super::table::Table;
use crate::error::ErrorKind;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::timeout;

/// What a verb works with.
pub(super) struct Session<'s> {
    pub(super) taken: Taken,
    pub(super) config: &'s ServerConfig,
    pub(super) table: &'s Table,
    pub(super) state: &'s State,
    pub(super) counts: &'s Counts,
    /// Milliseconds since 1970, by the caller's clock.
    pub(super) now: i64,
    /// A transaction is open: an error ends it with its connection.
    pub(super) in_transaction: bool,
    /// Something was sent that must not be sent again.
    pub(super) is_sent: bool,
}

impl Session<'_> {
    /// One statement, answered within the limit.
    pub(super) async fn ask(&mut self, statement: Statement<'_>) -> Result<Answer, Trouble> {
        let most = self.state.most_packet.load(Ordering::Relaxed);
        if statement.size() > most {
            // A server that is told more than it takes says nothing: it closes the connection.
            let text = format!("a statement of {} bytes, the server takes {most}", statement.size());
            return Err(Trouble::Refused(ErrorKind::TooLarge, text));
        }
        within(self.config.reply_limit, self.taken.link().run(statement)).await
    }

    /// The same for what does something that cannot be done twice.
    pub(super) async fn ask_once(&mut self, statement: Statement<'_>) -> Result<Answer, Trouble> {
        self.is_sent = true;
        self.ask(statement).await
    }

    /// Text without an answer, within the limit.
    pub(super) async fn say(&mut self, text: impl Into<String>) -> Result<(), Trouble> {
        within(self.config.reply_limit, self.taken.link().say(text.into())).await
    }

    pub(super) async fn begin(&mut self) -> Result<(), Trouble> {
        self.in_transaction = true;
        self.say("BEGIN").await
    }

    pub(super) async fn commit(&mut self) -> Result<(), Trouble> {
        // What was asked before is undone if this does not arrive.
        self.is_sent = true;
        self.say("COMMIT").await?;
        self.in_transaction = false;
        Ok(())
    }

    /// Takes it back, and goes on.
    pub(super) async fn roll_back(&mut self) -> Result<(), Trouble> {
        self.say("ROLLBACK").await?;
        self.in_transaction = false;
        Ok(())
    }
}

async fn within<T>(limit: Duration, asked: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    timeout(limit, asked).await.unwrap_or(Err(Trouble::ReplyLimit(limit)))
}
