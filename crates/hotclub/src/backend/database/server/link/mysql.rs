//! MySQL and MariaDB over sqlx. Times are texts there and back: a `datetime` has no zone, and ours are in UTC.
use super::super::config::ServerConfig;
use super::super::error::Trouble;
use super::super::statement::{Answer, Arg, Cell, Column, Row, Statement, unreadable};
use super::{PREPARED, server_limit};
use crate::backend::database::row;
use sqlx::error::BoxDynError;
use sqlx::mysql::{MySqlArguments, MySqlConnectOptions, MySqlConnection, MySqlRow, MySqlSslMode};
use sqlx::{Arguments, AssertSqlSafe, ConnectOptions, Executor, Row as _};
use std::time::Duration;

pub(super) async fn connect(config: &ServerConfig) -> Result<MySqlConnection, sqlx::Error> {
    options(config)?.connect().await
}

fn options(config: &ServerConfig) -> Result<MySqlConnectOptions, sqlx::Error> {
    let mut options = MySqlConnectOptions::new()
        .host(&config.host)
        .port(config.port)
        .database(&config.database)
        .username(config.user.as_deref().unwrap_or("root"))
        .statement_cache_capacity(PREPARED)
        .disable_statement_logging();
    if let Some(path) = &config.socket {
        options = options.socket(path);
    }
    if let Some(password) = &config.password {
        options = options.password(password);
    }
    let encryption = &config.encryption;
    if let Some(mode) = &encryption.mode {
        options = options.ssl_mode(mode.parse::<MySqlSslMode>()?);
    }
    if let Some(file) = &encryption.ca {
        options = options.ssl_ca(file);
    }
    if let (Some(certificate), Some(key)) = (&encryption.certificate, &encryption.key) {
        options = options.ssl_client_cert(certificate).ssl_client_key(key);
    }
    Ok(options)
}

/// Waits for locks have this time, in whole seconds, and of MariaDB's statements everything. MySQL has a limit for
/// reads alone, which wait for nobody. A process that stands still keeps nothing for hours: none of ours is idle for as
/// long as that.
pub(super) fn limits(reply_limit: Duration) -> String {
    let limit = server_limit(reply_limit);
    let seconds = limit.as_secs().max(1);
    format!(
        "SET SESSION innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}, \
         wait_timeout = 600 \
         /*M!100102 , max_statement_time = {:.3} */",
        limit.as_secs_f64().max(0.001)
    )
}

pub(super) async fn run(
    connection: &mut MySqlConnection,
    statement: Statement<'_>,
) -> Result<Answer, Trouble> {
    let Statement { sql, args, columns, .. } = statement;
    let args = arguments(&args).map_err(sqlx::Error::Encode)?;
    let query = sqlx::query_with(AssertSqlSafe(sql), args);
    if columns.is_empty() {
        let done = connection.execute(query).await?;
        return Ok(Answer { affected: done.rows_affected(), noted: done.last_insert_id(), rows: Vec::new() });
    }
    let rows = connection.fetch_all(query).await?;
    let rows: Result<Vec<Row>, Trouble> = rows.iter().map(|row| read(row, columns)).collect();
    Ok(Answer { rows: rows?, ..Answer::default() })
}

fn arguments(args: &[Arg<'_>]) -> Result<MySqlArguments, BoxDynError> {
    let mut arguments = MySqlArguments::default();
    for arg in args {
        match arg {
            Arg::Text(text) => arguments.add(*text)?,
            Arg::Bytes(bytes) => arguments.add(*bytes)?,
            Arg::Int(number) => arguments.add(*number)?,
            Arg::Time(milliseconds) => {
                arguments.add(row::write_time(Some(u64::try_from(*milliseconds).unwrap_or(0))))?;
            }
            Arg::Texts(_) | Arg::ManyBytes(_) | Arg::Ints(_) => return Err("MySQL has no arrays".into()),
        }
    }
    Ok(arguments)
}

fn read(row: &MySqlRow, columns: &[Column]) -> Result<Row, Trouble> {
    let text = |at: usize| {
        let bytes: Vec<u8> = row.try_get_unchecked(at)?;
        String::from_utf8(bytes).map_err(|error| sqlx::Error::Decode(error.into()))
    };
    let cell = |(at, column): (usize, &Column)| match column {
        Column::Text => text(at).map(Cell::Text),
        Column::Bytes => row.try_get_unchecked(at).map(Cell::Bytes),
        Column::Int => row.try_get_unchecked(at).map(Cell::Int),
        Column::Time => {
            let text = text(at)?;
            let time = row::read_time(&text).ok_or_else(|| format!("{text:?} is no time"));
            time.map(Cell::Int).map_err(|error| sqlx::Error::Decode(error.into()))
        }
    };
    let cells: Result<Row, sqlx::Error> = columns.iter().enumerate().map(cell).collect();
    cells.map_err(|error| unreadable(&error.to_string()).into())
}
