//! One set of statements for both databases: SQLite takes them as they are, PostgreSQL with `$1` for each `?`.
//!
//! A [`Query`] holds its values; it goes to a [`Db`] or to a [`Tx`] and answers with rows of whichever database it was. Rows stay what the
//! driver made of them: a value is read from it once, as one type for both. Where the two differ, statements are written so that both take them;
//! what is left of the difference is in [`Db::is_postgres`].
//!
//! Writers take turns on both: SQLite has one writer, and on PostgreSQL a transaction that writes takes a lock of the whole store first. So what
//! a transaction has read is still so when it writes.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::hash::Hash;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqlitePool, SqliteRow};
use sqlx::{
    Arguments as _, AssertSqlSafe, ColumnIndex, Decode, FromRow, Postgres, Row as _, SqlStr, Sqlite, Transaction, Type,
};

use super::error::StoreFault;
use super::postgres::{PgTx, Server};

/// A value that is bound, never part of a statement.
#[derive(Debug, Clone)]
pub(super) enum Value<'q> {
    Int(Option<i64>),
    Real(f64),
    Bool(bool),
    Text(Option<Cow<'q, str>>),
    Blob(Option<Cow<'q, [u8]>>),
}

macro_rules! values {
    ($($Type:ty => |$value:ident| $made:expr;)*) => {
        $(impl<'q> From<$Type> for Value<'q> {
            fn from($value: $Type) -> Self {
                $made
            }
        })*
    };
}

values! {
    i64 => |value| Self::Int(Some(value));
    i32 => |value| Self::Int(Some(value.into()));
    u32 => |value| Self::Int(Some(value.into()));
    Option<i64> => |value| Self::Int(value);
    Option<i32> => |value| Self::Int(value.map(i64::from));
    f64 => |value| Self::Real(value);
    bool => |value| Self::Bool(value);
    &'q str => |value| Self::Text(Some(Cow::Borrowed(value)));
    &'q String => |value| Self::Text(Some(Cow::Borrowed(value)));
    String => |value| Self::Text(Some(Cow::Owned(value)));
    Option<&'q str> => |value| Self::Text(value.map(Cow::Borrowed));
    &'q [u8] => |value| Self::Blob(Some(Cow::Borrowed(value)));
    Vec<u8> => |value| Self::Blob(Some(Cow::Owned(value)));
    Option<Vec<u8>> => |value| Self::Blob(value.map(Cow::Owned));
}

/// A statement with its values, and how its rows are read. What goes to PostgreSQL is boxed: it is large, and SQLite need not carry it along.
pub(super) struct Query<'q, T> {
    text: Cow<'static, str>,
    values: Vec<Value<'q>>,
    read: fn(Row) -> Result<T, StoreFault>,
    is_kept: bool,
}

/// A statement whose rows are read column by column.
pub(super) fn query<'q>(text: impl Into<Cow<'static, str>>) -> Query<'q, Row> {
    Query { text: text.into(), values: Vec::new(), read: Ok, is_kept: true }
}

/// A statement whose rows are tuples.
pub(super) fn query_as<'q, T>(text: impl Into<Cow<'static, str>>) -> Query<'q, T>
where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow>,
{
    Query { text: text.into(), values: Vec::new(), read: tuple, is_kept: true }
}

/// A statement whose rows are one value.
pub(super) fn query_scalar<'q, T: for<'r> Column<'r>>(text: impl Into<Cow<'static, str>>) -> Query<'q, T> {
    Query { text: text.into(), values: Vec::new(), read: |row| row.try_get(0), is_kept: true }
}

fn tuple<T>(row: Row) -> Result<T, StoreFault>
where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow>,
{
    Ok(match row {
        Row::Sqlite(row) => T::from_row(&row),
        Row::Postgres(row) => T::from_row(&row),
    }?)
}

impl<'q, T> Query<'q, T> {
    /// Binds the next value.
    pub fn bind(mut self, value: impl Into<Value<'q>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Whether the prepared statement is kept for the next time.
    pub const fn persistent(mut self, is_kept: bool) -> Self {
        self.is_kept = is_kept;
        self
    }

    /// How many rows it changed.
    pub async fn execute<'c>(self, on: impl Into<On<'c>>) -> Result<u64, StoreFault> {
        let Self { text, values, is_kept, .. } = self;
        match on.into() {
            On::Db(Db::Sqlite(pool)) => Ok(sqlite(text, values, is_kept)?.execute(pool).await?.rows_affected()),
            On::Tx(Tx::Sqlite(tx)) => Ok(sqlite(text, values, is_kept)?.execute(&mut **tx).await?.rows_affected()),
            On::Db(Db::Postgres(server)) => Box::pin(server.execute(postgres(&text, values)?, is_kept)).await,
            On::Tx(Tx::Postgres(tx)) => Box::pin(tx.execute(postgres(&text, values)?, is_kept)).await,
        }
    }

    /// All rows.
    pub async fn fetch_all<'c>(self, on: impl Into<On<'c>>) -> Result<Vec<T>, StoreFault> {
        let Self { text, values, read, is_kept } = self;
        let of_sqlite = |rows: Vec<SqliteRow>| rows.into_iter().map(|row| read(Row::Sqlite(row))).collect();
        let of_postgres = |rows: Vec<PgRow>| rows.into_iter().map(|row| read(Row::Postgres(row))).collect();
        match on.into() {
            On::Db(Db::Sqlite(pool)) => of_sqlite(sqlite(text, values, is_kept)?.fetch_all(pool).await?),
            On::Tx(Tx::Sqlite(tx)) => of_sqlite(sqlite(text, values, is_kept)?.fetch_all(&mut **tx).await?),
            On::Db(Db::Postgres(server)) => {
                of_postgres(Box::pin(server.fetch(postgres(&text, values)?, is_kept)).await?)
            }
            On::Tx(Tx::Postgres(tx)) => of_postgres(Box::pin(tx.fetch(postgres(&text, values)?, is_kept)).await?),
        }
    }

    /// The first row, if there is one.
    pub async fn fetch_optional<'c>(self, on: impl Into<On<'c>>) -> Result<Option<T>, StoreFault> {
        Ok(self.fetch_all(on).await?.into_iter().next())
    }

    /// The one row that such a statement always has.
    pub async fn fetch_one<'c>(self, on: impl Into<On<'c>>) -> Result<T, StoreFault> {
        self.fetch_optional(on).await?.ok_or_else(|| sqlx::Error::RowNotFound.into())
    }
}

/// Texts of this room hold no values: those are bound.
fn sqlite(
    text: Cow<'static, str>,
    values: Vec<Value<'_>>,
    is_kept: bool,
) -> Result<sqlx::query::Query<'static, Sqlite, SqliteArguments>, StoreFault> {
    let mut arguments = SqliteArguments::default();
    for value in values {
        let added = match value {
            Value::Int(value) => arguments.add(value),
            Value::Real(value) => arguments.add(value),
            Value::Bool(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value.map(Cow::into_owned)),
            Value::Blob(value) => arguments.add(value.map(Cow::into_owned)),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok(sqlx::query_with(AssertSqlSafe(text), arguments).persistent(is_kept))
}

/// A statement as PostgreSQL takes it.
pub(super) type Statement = (SqlStr, PgArguments);

fn postgres(text: &str, values: Vec<Value<'_>>) -> Result<Statement, StoreFault> {
    let mut arguments = PgArguments::default();
    for value in values {
        let added = match value {
            Value::Int(value) => arguments.add(value),
            Value::Real(value) => arguments.add(value),
            Value::Bool(value) => arguments.add(value),
            // PostgreSQL keeps no NUL in a text; logs have them.
            Value::Text(Some(value)) if value.contains('\0') => arguments.add(value.replace('\0', "\u{fffd}")),
            Value::Text(value) => arguments.add(value.as_deref()),
            Value::Blob(value) => arguments.add(value.as_deref()),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok((sqlx::SqlSafeStr::into_sql_str(AssertSqlSafe(numbered(text))), arguments))
}

/// `$1` for each `?`, but for those in quotes; `?1` is `$1` already.
fn numbered(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let (mut number, mut quote) = (0_u32, None);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('?', None) => {
                out.push('$');
                if !chars.peek().is_some_and(char::is_ascii_digit) {
                    number += 1;
                    // Writing to a text cannot fail.
                    let _ = write!(out, "{number}");
                }
                continue;
            }
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            _ => {}
        }
        out.push(c);
    }
    out
}

/// A statement that is put together, with its values as they come.
pub(super) struct Builder<'q> {
    text: String,
    values: Vec<Value<'q>>,
}

impl<'q> Builder<'q> {
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), values: Vec::new() }
    }

    pub fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    pub fn push_bind(&mut self, value: impl Into<Value<'q>>) -> &mut Self {
        self.text.push('?');
        self.values.push(value.into());
        self
    }

    /// `VALUES (…), (…)`.
    pub fn push_values<T>(&mut self, rows: impl IntoIterator<Item = T>, mut fill: impl FnMut(Listed<'_, 'q>, T)) {
        self.push("VALUES ");
        for (at, row) in rows.into_iter().enumerate() {
            self.push(if at == 0 { "(" } else { ", (" });
            fill(self.listed(), row);
            self.push(")");
        }
    }

    /// What follows, with commas between.
    pub const fn listed(&mut self) -> Listed<'_, 'q> {
        Listed { query: self, is_first: true }
    }

    pub fn build(self) -> Query<'q, Row> {
        Query { values: self.values, ..query(self.text) }
    }

    pub fn build_query_as<T>(self) -> Query<'q, T>
    where
        T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow>,
    {
        Query { values: self.values, ..query_as(self.text) }
    }

    pub fn build_query_scalar<T: for<'r> Column<'r>>(self) -> Query<'q, T> {
        Query { values: self.values, ..query_scalar(self.text) }
    }
}

/// Values with commas between them.
pub(super) struct Listed<'b, 'q> {
    query: &'b mut Builder<'q>,
    is_first: bool,
}

impl<'q> Listed<'_, 'q> {
    pub fn push_bind(&mut self, value: impl Into<Value<'q>>) -> &mut Self {
        self.comma().query.push_bind(value);
        self
    }

    /// An expression around a value.
    pub fn push_around(&mut self, before: &str, value: impl Into<Value<'q>>, after: &str) -> &mut Self {
        self.comma().query.push(before).push_bind(value).push(after);
        self
    }

    fn comma(&mut self) -> &mut Self {
        if !std::mem::take(&mut self.is_first) {
            self.query.push(", ");
        }
        self
    }
}

/// Pieces of at most so many rows, none of which has a key twice: PostgreSQL changes no row twice in one statement.
pub(super) fn pieces<'a, T, K: Eq + Hash>(rows: &'a [T], most: usize, key: impl Fn(&'a T) -> K) -> Vec<&'a [T]> {
    let (mut pieces, mut rest) = (Vec::new(), rows);
    while !rest.is_empty() {
        let mut keys = HashSet::with_capacity(most.min(rest.len()));
        let length = rest.iter().take(most).take_while(|row| keys.insert(key(row))).count();
        let (piece, others) = rest.split_at(length.max(1));
        pieces.push(piece);
        rest = others;
    }
    pieces
}

/// A row of either database.
pub(super) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// A type that both databases have.
pub(super) trait Column<'r>: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres> {}

impl<'r, T: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>> Column<'r> for T {}

impl Row {
    /// The value of a column.
    pub fn try_get<'r, T: Column<'r>>(
        &'r self,
        column: impl ColumnIndex<SqliteRow> + ColumnIndex<PgRow>,
    ) -> Result<T, StoreFault> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }?)
    }
}

/// An open database.
#[derive(Debug, Clone)]
pub(super) enum Db {
    Sqlite(SqlitePool),
    Postgres(Server),
}

/// What is done together or not at all. Dropped, it did not happen.
pub(super) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(PgTx),
}

/// Where a statement goes.
pub(super) enum On<'c> {
    Db(&'c Db),
    Tx(&'c mut Tx),
}

impl<'c> From<&'c Db> for On<'c> {
    fn from(db: &'c Db) -> Self {
        Self::Db(db)
    }
}

impl<'c> From<&'c mut Tx> for On<'c> {
    fn from(tx: &'c mut Tx) -> Self {
        Self::Tx(tx)
    }
}

impl Db {
    /// Begins to write, when nobody else does.
    pub async fn begin(&self) -> Result<Tx, StoreFault> {
        Ok(match self {
            Self::Sqlite(pool) => Tx::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(server) => Tx::Postgres(Box::pin(server.begin()).await?),
        })
    }

    /// Begins to read everything as of one moment.
    pub async fn begin_reading(&self) -> Result<Tx, StoreFault> {
        Ok(match self {
            Self::Sqlite(pool) => Tx::Sqlite(pool.begin().await?),
            Self::Postgres(server) => Tx::Postgres(Box::pin(server.begin_reading()).await?),
        })
    }

    pub const fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Lets go of every connection.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(server) => Box::pin(server.close()).await,
        }
    }
}

impl Tx {
    pub async fn commit(self) -> Result<(), StoreFault> {
        match self {
            Self::Sqlite(tx) => Ok(tx.commit().await?),
            Self::Postgres(tx) => Box::pin(tx.commit()).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_get_numbers_but_not_those_in_quotes() {
        for (text, numbered_text) in [
            ("SELECT ? + ?", "SELECT $1 + $2"),
            ("a = ?1 AND b < ?1", "a = $1 AND b < $1"),
            ("a = '?' AND \"b?\" = ? AND c = 'it''s ?'", "a = '?' AND \"b?\" = $1 AND c = 'it''s ?'"),
            ("?", "$1"),
        ] {
            assert_eq!(numbered(text), numbered_text);
        }
    }

    #[test]
    fn pieces_have_no_key_twice_and_lose_nothing() {
        let rows = [1, 2, 3, 2, 4, 4, 4, 5];
        let cut = pieces(&rows, 3, |row| *row);
        assert_eq!(cut, [&[1, 2, 3][..], &[2, 4], &[4], &[4, 5]]);
        assert_eq!(pieces(&rows[..0], 3, |row| *row), Vec::<&[i32]>::new());
    }
}
