//! Counting numbers up and down, and what the table weighs.
use super::{Verb, token};
use crate::backend::database::server::error::Trouble;
use crate::backend::database::server::session::Session;
use crate::backend::database::server::statement::{Answer, Cell};
use crate::backend::database::server::table::{Fresh, Table};
use crate::codec::integer;
use crate::error::{Error, ErrorKind, Result};
use hotclub_net::Effect;

/// Adds to a number; the sum.
#[derive(Debug)]
pub(in super::super) struct Count {
    pub(in super::super) key: String,
    pub(in super::super) delta: i128,
}

impl Verb for Count {
    type Answer = i128;

    fn name(&self) -> &'static str {
        "incr"
    }

    fn effect(&self) -> Effect {
        Effect::Once
    }

    fn statements(&self) -> usize {
        0
    }

    fn check(&self, table: &Table) -> Result<()> {
        table.check_key(&self.key)
    }

    async fn run(&self, session: &mut Session<'_>) -> std::result::Result<i128, Trouble> {
        let delta = self.delta.to_string();
        if let Some(count) = session.table.count(&self.key, &delta, session.now(), token()) {
            let answer = session.ask_once(count).await?;
            if let Some(sum) = self.sum(&answer) {
                return Ok(sum);
            }
            // It was answered, and did nothing.
            session.is_sent = false;
        }
        session.begin().await?;
        match self.under_lock(session).await {
            Ok(sum) => {
                session.commit().await?;
                Ok(sum)
            }
            Err(Trouble::Verb(error)) => {
                session.roll_back().await?;
                Err(error.into())
            }
            Err(other) => Err(other),
        }
    }
}

impl Count {
    /// What the database counted, if it could.
    fn sum(&self, answer: &Answer) -> Option<i128> {
        match answer.rows.first().and_then(|row| row.first()) {
            Some(Cell::Bytes(digits)) => integer::parse(digits),
            Some(_) => None,
            // The number before, as MySQL noted it.
            None => (answer.affected > 0).then(|| i128::from(answer.noted as i64) + self.delta),
        }
    }

    /// Anything else, one caller at a time.
    async fn under_lock(&self, session: &mut Session<'_>) -> std::result::Result<i128, Trouble> {
        let (table, now, key) = (session.table, session.now(), self.key.as_str());
        let answer = session.ask(table.read(&[key], now, true)).await?;
        let Some(row) = answer.rows.into_iter().next() else {
            return Err(Error::new(ErrorKind::KeyNotFound, format!("'{key}'")).into());
        };
        let found = table.entry(row)?;
        let sum = integer::add(&found.value, self.delta)?;
        let digits = integer::encode(sum);
        let row = Fresh { key, value: table.write_value(&digits)?, flags: found.flags, cas: token() };
        session.ask(table.exchange(&row, session.now())).await?;
        Ok(sum)
    }
}

/// How many entries there are, and their bytes.
#[derive(Debug)]
pub(in super::super) struct Weigh;

impl Verb for Weigh {
    type Answer = (u64, u64);

    fn name(&self) -> &'static str {
        "stats"
    }

    fn effect(&self) -> Effect {
        Effect::Read
    }

    fn statements(&self) -> usize {
        0
    }

    fn check(&self, _table: &Table) -> Result<()> {
        Ok(())
    }

    async fn run(&self, session: &mut Session<'_>) -> std::result::Result<(u64, u64), Trouble> {
        let number = |answer: Answer| u64::try_from(answer.number()).unwrap_or(0);
        let entries = session.ask(session.table.rows()).await.map(number)?;
        let bytes = session.ask(session.table.bytes()).await.map(number)?;
        Ok((entries, bytes))
    }
}
