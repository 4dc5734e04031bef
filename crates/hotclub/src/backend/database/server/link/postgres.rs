//! PostgreSQL over sqlx.
use super::super::config::ServerConfig;
use super::super::error::Trouble;
use super::super::statement::{Answer, Arg, Cell, Column, Row, Statement, unreadable};
use super::{PREPARED, server_limit};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{
    PgArgumentBuffer, PgArguments, PgConnectOptions, PgConnection, PgRow, PgSslMode, PgTypeInfo,
};
use sqlx::{Arguments, AssertSqlSafe, ConnectOptions, Encode, Executor, Postgres, Row as _, Type};
use std::time::Duration;

/// From 1970 to 2000, where PostgreSQL begins to count.
const EPOCH_MS: i64 = 946_684_800_000;

pub(super) async fn connect(config: &ServerConfig) -> Result<PgConnection, sqlx::Error> {
    options(config)?.connect().await
}

fn options(config: &ServerConfig) -> Result<PgConnectOptions, sqlx::Error> {
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(&config.host)
        .port(config.port)
        .database(&config.database)
        .application_name("hotclub")
        .statement_cache_capacity(PREPARED)
        .disable_statement_logging();
    if let Some(path) = &config.socket {
        options = options.socket(path);
    }
    if let Some(user) = &config.user {
        options = options.username(user);
    }
    if let Some(password) = &config.password {
        options = options.password(password);
    }
    let encryption = &config.encryption;
    if let Some(mode) = &encryption.mode {
        options = options.ssl_mode(mode.parse::<PgSslMode>()?);
    }
    if let Some(file) = &encryption.ca {
        options = options.ssl_root_cert(file);
    }
    if let (Some(certificate), Some(key)) = (&encryption.certificate, &encryption.key) {
        options = options.ssl_client_cert(certificate).ssl_client_key(key);
    }
    Ok(options)
}

/// A statement has this time, and so has a transaction that nobody goes on with.
pub(super) fn limits(reply_limit: Duration) -> String {
    let milliseconds = server_limit(reply_limit).as_millis().max(1);
    format!(
        "SET statement_timeout = {milliseconds}; SET idle_in_transaction_session_timeout = {}",
        milliseconds * 2
    )
}

pub(super) async fn run(connection: &mut PgConnection, statement: Statement<'_>) -> Result<Answer, Trouble> {
    let Statement { sql, args, columns, .. } = statement;
    let args = arguments(&args).map_err(sqlx::Error::Encode)?;
    let query = sqlx::query_with(AssertSqlSafe(sql), args);
    if columns.is_empty() {
        let done = connection.execute(query).await?;
        return Ok(Answer { affected: done.rows_affected(), ..Answer::default() });
    }
    let rows = connection.fetch_all(query).await?;
    let rows: Result<Vec<Row>, Trouble> = rows.iter().map(|row| read(row, columns)).collect();
    Ok(Answer { rows: rows?, ..Answer::default() })
}

fn arguments(args: &[Arg<'_>]) -> Result<PgArguments, BoxDynError> {
    let mut arguments = PgArguments::default();
    for arg in args {
        match arg {
            Arg::Text(text) => arguments.add(*text)?,
            Arg::Bytes(bytes) => arguments.add(*bytes)?,
            Arg::Int(number) => arguments.add(*number)?,
            Arg::Time(milliseconds) => arguments.add(Moment(*milliseconds))?,
            Arg::Texts(texts) => arguments.add(texts.as_slice())?,
            Arg::ManyBytes(many) => arguments.add(many.as_slice())?,
            Arg::Ints(numbers) => arguments.add(numbers.as_slice())?,
        }
    }
    Ok(arguments)
}

fn read(row: &PgRow, columns: &[Column]) -> Result<Row, Trouble> {
    let cell = |(at, column): (usize, &Column)| match column {
        Column::Text => row.try_get_unchecked(at).map(Cell::Text),
        Column::Bytes => row.try_get_unchecked(at).map(Cell::Bytes),
        Column::Int => row.try_get_unchecked(at).map(Cell::Int),
        Column::Time => row.try_get_unchecked(at).map(since_1970).map(Cell::Int),
    };
    let cells: Result<Row, sqlx::Error> = columns.iter().enumerate().map(cell).collect();
    cells.map_err(|error| unreadable(&error.to_string()).into())
}

/// Milliseconds of PostgreSQL's microseconds since 2000; infinity stays for ever.
fn since_1970(microseconds: i64) -> i64 {
    match microseconds {
        i64::MIN | i64::MAX => microseconds,
        _ => microseconds.div_euclid(1000).saturating_add(EPOCH_MS),
    }
}

/// A `timestamp with time zone`, from milliseconds since 1970.
struct Moment(i64);

impl Type<Postgres> for Moment {
    fn type_info() -> PgTypeInfo {
        const TIMESTAMPTZ: Oid = Oid(1184);
        PgTypeInfo::with_oid(TIMESTAMPTZ)
    }
}

impl Encode<'_, Postgres> for Moment {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let microseconds = self.0.saturating_sub(EPOCH_MS).saturating_mul(1000);
        buffer.extend_from_slice(&microseconds.to_be_bytes());
        Ok(IsNull::No)
    }
}
