//! Making the table, and telling whether one that is there is of our layout.
use super::Table;
use crate::backend::database::layout::{Layout, quoted};
use crate::backend::database::server::config::Vendor;
use crate::backend::database::server::statement::{Answer, Arg, Cell, Column, Statement};
use crate::error::{Error, ErrorKind, Result};

/// The columns of a layout: name, and type without its length.
type Columns = &'static [(&'static str, &'static str)];

const OWN_POSTGRES: Columns = &[
    ("key", "text"),
    ("value", "bytea"),
    ("flags", "bigint"),
    ("size", "bigint"),
    ("used", "bigint"),
    ("deadline", "bigint"),
    ("cas", "bigint"),
];
const OWN_MYSQL: Columns = &[
    ("key", "varbinary"),
    ("value", "longblob"),
    ("flags", "bigint"),
    ("size", "bigint"),
    ("used", "bigint"),
    ("deadline", "bigint"),
    ("cas", "bigint"),
];
const DJANGO_POSTGRES: Columns =
    &[("cache_key", "character varying"), ("value", "text"), ("expires", "timestamp with time zone")];
const DJANGO_MYSQL: Columns = &[("cache_key", "varchar"), ("value", "longtext"), ("expires", "datetime")];

impl Table {
    fn expected(&self) -> Columns {
        match (self.vendor, self.layout) {
            (Vendor::Postgres, Layout::Own) => OWN_POSTGRES,
            (Vendor::MySql, Layout::Own) => OWN_MYSQL,
            (Vendor::Postgres, Layout::Django) => DJANGO_POSTGRES,
            (Vendor::MySql, Layout::Django) => DJANGO_MYSQL,
        }
    }

    /// The columns of the table, as the search path finds it; no rows if there is none.
    pub(in super::super) fn columns(&self) -> Statement<'_> {
        let mut statement = match self.vendor {
            Vendor::Postgres => {
                let mut statement = self.statement(
                    "SELECT attname::text, format_type(atttypid, NULL) FROM pg_catalog.pg_attribute \
                     WHERE attrelid = to_regclass(",
                );
                statement.arg(Arg::Text(&self.quoted));
                statement.text(") AND attnum > 0 AND NOT attisdropped ORDER BY attnum");
                statement
            }
            Vendor::MySql => {
                let mut statement = self.statement(
                    "SELECT CAST(column_name AS CHAR), CAST(data_type AS CHAR) \
                     FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ",
                );
                statement.arg(Arg::Text(&self.name)).text(" ORDER BY ordinal_position");
                statement
            }
        };
        statement.giving(&[Column::Text, Column::Text]);
        statement
    }

    /// How many bytes the server takes at once, where it does not say so when it is told more.
    pub(in super::super) fn most_packet(&self) -> Option<Statement<'static>> {
        if self.is_postgres() {
            return None;
        }
        let mut statement = self.statement("SELECT CAST(@@max_allowed_packet AS SIGNED)");
        statement.giving(&[Column::Int]);
        Some(statement)
    }

    /// Whether there is a table; an error if its columns are not those of the layout.
    pub(in super::super) fn check(&self, columns: &Answer) -> Result<bool> {
        let found: Vec<(&str, &str)> = columns
            .rows
            .iter()
            .filter_map(|row| match row.as_slice() {
                [Cell::Text(name), Cell::Text(kind)] => Some((name.as_str(), kind.as_str())),
                _ => None,
            })
            .collect();
        if found.is_empty() {
            return Ok(false);
        }
        let expected = self.expected();
        if found.len() == expected.len() && expected.iter().all(|column| found.contains(column)) {
            return Ok(true);
        }
        let (found, expected) = (shown(&found), shown(expected));
        let text = format!(
            "the table {:?} is not of layout `{}`: it has {found}, and should have {expected}",
            self.name, self.layout
        );
        Err(Error::new(ErrorKind::Config, text))
    }

    /// What makes the table and its indexes, if it is not there.
    pub(in super::super) fn create(&self) -> String {
        let quote = if self.is_postgres() { '"' } else { '`' };
        let table = &self.quoted;
        let index = |column: &str| quoted(&index_name(&self.name, column), quote);
        match (self.vendor, self.layout) {
            (Vendor::Postgres, Layout::Own) => format!(
                "CREATE TABLE IF NOT EXISTS {table} (\
                 \"key\" text COLLATE \"C\" NOT NULL PRIMARY KEY, \
                 \"value\" bytea NOT NULL, \
                 \"flags\" bigint NOT NULL, \
                 \"size\" bigint NOT NULL GENERATED ALWAYS AS (octet_length(\"value\")) STORED, \
                 \"used\" bigint NOT NULL, \
                 \"deadline\" bigint NOT NULL, \
                 \"cas\" bigint NOT NULL); \
                 CREATE INDEX IF NOT EXISTS {} ON {table} (\"deadline\"); \
                 CREATE INDEX IF NOT EXISTS {} ON {table} (\"used\")",
                index("deadline"),
                index("used"),
            ),
            (Vendor::MySql, Layout::Own) => format!(
                "CREATE TABLE IF NOT EXISTS {table} (\
                 `key` varbinary({}) NOT NULL PRIMARY KEY, \
                 `value` longblob NOT NULL, \
                 `flags` bigint NOT NULL, \
                 `size` bigint GENERATED ALWAYS AS (OCTET_LENGTH(`value`)) STORED, \
                 `used` bigint NOT NULL, \
                 `deadline` bigint NOT NULL, \
                 `cas` bigint NOT NULL, \
                 INDEX {} (`deadline`), INDEX {} (`used`)) ENGINE=InnoDB ROW_FORMAT=DYNAMIC",
                super::MOST_KEY,
                index("deadline"),
                index("used"),
            ),
            (Vendor::Postgres, Layout::Django) => format!(
                "CREATE TABLE IF NOT EXISTS {table} (\
                 \"cache_key\" varchar(255) NOT NULL PRIMARY KEY, \
                 \"value\" text NOT NULL, \
                 \"expires\" timestamp with time zone NOT NULL); \
                 CREATE INDEX IF NOT EXISTS {} ON {table} (\"expires\")",
                index("expires"),
            ),
            // Django's words, and its keys compared letter by letter: by the rules of most databases `a` and `A`
            // would be one key.
            (Vendor::MySql, Layout::Django) => format!(
                "CREATE TABLE IF NOT EXISTS {table} (\
                 `cache_key` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY, \
                 `value` longtext NOT NULL, \
                 `expires` datetime(6) NOT NULL, \
                 INDEX {} (`expires`))",
                index("expires"),
            ),
        }
    }
}

/// `<table>_<column>`, as Django calls its index; cut where names end, as PostgreSQL does it.
fn index_name(table: &str, column: &str) -> String {
    const LONGEST: usize = 63;
    let mut end = table.len().min(LONGEST - column.len() - 1);
    while !table.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}_{column}", &table[..end])
}

fn shown(columns: &[(&str, &str)]) -> String {
    let columns: Vec<String> = columns.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
    columns.join(", ")
}

#[cfg(test)]
mod tests {
    use super::index_name;

    #[test]
    fn indexes_are_called_as_djangos() {
        assert_eq!(index_name("my cache", "expires"), "my cache_expires");
        assert_eq!(index_name(&"é".repeat(31), "expires").len(), 62);
    }
}
