//! A verb at work: its connection, and what it knows of the table and its server.
use super::config::ServerConfig;
use super::error::Trouble;
use super::pool::Taken;
use super::statement::{Answer, Statement};
use super::store::{Counts, State};
use super::table::Table;
use crate::clock::Clock;
use crate::error::ErrorKind;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::timeout;

/// How often a statement, or a transaction, is tried that the server gives up for the sake of others.
pub(super) const TRIALS: usize = 5;

/// What a verb works with.
pub(super) struct Session<'s> {
    pub(super) taken: Taken,
    pub(super) config: &'s ServerConfig,
    pub(super) table: &'s Table,
    pub(super) state: &'s State,
    pub(super) counts: &'s Counts,
    pub(super) clock: &'s Clock,
    /// A transaction or a lock is open: it ends with its connection, if it is not ended before.
    pub(super) holds: bool,
    /// Something was sent that must not be sent again.
    pub(super) is_sent: bool,
    /// The connection is of no use any more.
    pub(super) is_spent: bool,
}

impl Session<'_> {
    /// Milliseconds since 1970, by the caller's clock. Asked for each statement: there may have been waits between.
    pub(super) fn now(&self) -> i64 {
        i64::try_from(self.clock.deadline(self.clock.now_ms()).0).unwrap_or(i64::MAX)
    }

    /// One statement, answered within the limit. Outside of transactions, where it is all that was to be done, it is
    /// tried again if the server gave it up for the sake of others.
    pub(super) async fn ask(&mut self, statement: Statement<'_>) -> Result<Answer, Trouble> {
        for _ in 1..TRIALS {
            match self.ask_within(self.config.reply_limit, statement.clone()).await {
                Err(Trouble::Conflict(_)) if !self.holds => {}
                answered => return answered,
            }
        }
        self.ask_within(self.config.reply_limit, statement).await
    }

    /// One trial, answered within this limit.
    pub(super) async fn ask_within(
        &mut self,
        limit: Duration,
        statement: Statement<'_>,
    ) -> Result<Answer, Trouble> {
        let most = self.state.most_packet.load(Ordering::Relaxed);
        if statement.size() > most {
            // A server that is told more than it takes says nothing: it closes the connection.
            let text = format!("a statement of {} bytes, the server takes {most}", statement.size());
            return Err(Trouble::Refused(ErrorKind::TooLarge, text));
        }
        let answered = within(limit, self.taken.link().run(statement)).await;
        self.seen(answered)
    }

    /// The same for what does something that cannot be done twice.
    pub(super) async fn ask_once(&mut self, statement: Statement<'_>) -> Result<Answer, Trouble> {
        self.is_sent = true;
        self.ask(statement).await
    }

    /// Text without an answer, within the limit.
    pub(super) async fn say(&mut self, text: impl Into<String>) -> Result<(), Trouble> {
        let said = within(self.config.reply_limit, self.taken.link().say(text.into())).await;
        self.seen(said)
    }

    fn seen<T>(&mut self, result: Result<T, Trouble>) -> Result<T, Trouble> {
        self.is_spent |= result.as_ref().is_err_and(|trouble| !trouble.leaves_connection());
        result
    }

    /// Whether the next verb may have the connection.
    pub(super) fn leaves_connection(&self) -> bool {
        !self.is_spent && !self.holds
    }

    pub(super) async fn begin(&mut self) -> Result<(), Trouble> {
        self.holds = true;
        self.say("BEGIN").await
    }

    pub(super) async fn commit(&mut self) -> Result<(), Trouble> {
        // What was asked before is undone if this does not arrive.
        self.is_sent = true;
        let done = self.say("COMMIT").await;
        self.is_sent = !matches!(done, Err(Trouble::Conflict(_)));
        done?;
        self.holds = false;
        Ok(())
    }

    /// Takes it back, and goes on.
    pub(super) async fn roll_back(&mut self) -> Result<(), Trouble> {
        self.say("ROLLBACK").await?;
        self.holds = false;
        Ok(())
    }
}

async fn within<T>(limit: Duration, asked: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    timeout(limit, asked).await.unwrap_or(Err(Trouble::ReplyLimit(limit)))
}
