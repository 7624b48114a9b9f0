//! Rows as lines of JSON and back, the same from SQLite and PostgreSQL, of this version's schema or an older one.
//!
//! Values are kept to the last digit: JSON columns stay the text that they are, numbers are never parsed by
//! anything that rounds.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnType, ConnectionTrait, DbBackend, DbErr, QueryResult, Statement,
    sea_query::{Asterisk, Expr, ExprTrait, Func, Order, Query, SimpleExpr},
};
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use super::{
    Transaction,
    tables::{Column, TABLES, Table},
};

/// A row by its columns' names.
pub(crate) type Row = BTreeMap<String, Box<RawValue>>;

/// Rows of one statement that reads.
const ROWS_PER_PAGE: u64 = 2000;

/// Values of one statement that writes; SQLite takes at most 32,766.
const VALUES_PER_INSERT: usize = 20_000;

/// A value that cannot be written into its column.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RowError {
    #[error("`{0}` is missing")]
    Missing(&'static str),
    #[error("`{0}` is not a column of this table")]
    Unknown(String),
    #[error("`{column}` has an invalid value")]
    Value {
        column: &'static str,
        #[source]
        source: serde_json::Error,
    },
    #[error("`{0}` is not a number")]
    Number(&'static str),
}

/// A table as a database has it: one with an older schema lacks columns.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) columns: Vec<Column>,
    key: Vec<&'static str>,
}

/// The tables that a database has, in the order of [`TABLES`].
pub(crate) async fn shapes(db: &Transaction) -> Result<Vec<Shape>, DbErr> {
    let mut shapes = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        let there = column_names(db, table).await?;
        if there.is_empty() {
            continue;
        }
        let mut columns = table.columns_of_every_schema();
        columns.retain(|column| there.iter().any(|name| name == column.name));
        shapes.push(Shape {
            name: table.name,
            columns,
            key: (table.key)(),
        });
    }
    Ok(shapes)
}

/// The columns that a table stores; none when there is no such table. Computed ones come from the others.
async fn column_names(db: &Transaction, table: &Table) -> Result<Vec<String>, DbErr> {
    let backend = db.get_database_backend();
    let names = match backend {
        DbBackend::Postgres => format!(
            "SELECT column_name::text AS name FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name = '{}' AND is_generated = 'NEVER'",
            table.name
        ),
        _ => format!("SELECT name FROM pragma_table_info('{}')", table.name),
    };
    let rows = db.query_all_raw(Statement::from_string(backend, names)).await?;
    rows.iter().map(|row| row.try_get("", "name")).collect()
}

/// How many rows a table has.
pub(crate) async fn count(db: &Transaction, table: &'static str) -> Result<u64, DbErr> {
    let count = Query::select()
        .expr(Func::count(Expr::col(Asterisk)))
        .from(table)
        .take();
    let n: i64 = match db.query_one(&count).await? {
        Some(row) => row.try_get_by_index(0)?,
        None => 0,
    };
    Ok(n.unsigned_abs())
}

/// Calls `each` with every row of a table, in the order of its key.
pub(crate) async fn read<E: From<DbErr>>(
    db: &Transaction,
    table: &Shape,
    mut each: impl FnMut(Row) -> Result<(), E>,
) -> Result<u64, E> {
    let Shape { columns, key, .. } = table;
    let of_key = |name: &&str| columns.iter().find(|column| column.name == *name);
    let key_columns: Vec<&Column> = key.iter().filter_map(of_key).collect();
    let mut n_rows = 0;
    let mut last: Option<Vec<SimpleExpr>> = None;
    loop {
        let mut page = Query::select();
        page.from(table.name).limit(ROWS_PER_PAGE);
        for column in columns {
            page.expr_as(readable(column), column.name);
        }
        for name in key {
            page.order_by(*name, Order::Asc);
        }
        if let Some(last) = last.take() {
            let key = key.iter().map(|name| Expr::col(*name));
            page.and_where(Expr::tuple(key).gt(Expr::tuple(last)));
        }
        let rows = db.query_all(&page).await?;
        for found in &rows {
            let row = columns
                .iter()
                .map(|column| Ok((column.name.to_owned(), value(found, column)?)))
                .collect::<Result<Row, DbErr>>()?;
            each(row)?;
        }
        n_rows += rows.len() as u64;
        match rows.last() {
            Some(row) if rows.len() as u64 == ROWS_PER_PAGE => {
                let of_row = key_columns.iter().map(|column| key_value(row, column));
                last = Some(of_row.collect::<Result<_, DbErr>>()?);
            }
            _ => return Ok(n_rows),
        }
    }
}

/// Inserts rows.
pub(crate) async fn write(db: &Transaction, table: &Shape, rows: Vec<Vec<SimpleExpr>>) -> Result<(), DbErr> {
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let mut insert = Query::insert();
        insert
            .into_table(table.name)
            .columns(table.columns.iter().map(|column| column.name));
        for row in rows.by_ref().take(rows_per_insert(table)) {
            insert.values_panic(row);
        }
        db.execute(&insert).await?;
    }
    Ok(())
}

/// Rows of one statement that writes.
pub(crate) fn rows_per_insert(table: &Shape) -> usize {
    (VALUES_PER_INSERT / table.columns.len().max(1)).max(1)
}

/// A row's values in the order of the table's columns, each checked.
pub(crate) fn values(
    backend: DbBackend,
    columns: &[Column],
    mut row: Row,
) -> Result<Vec<SimpleExpr>, RowError> {
    let mut values = Vec::with_capacity(row.len());
    for column in columns {
        let raw = row.remove(column.name).ok_or(RowError::Missing(column.name))?;
        values.push(parse(backend, column, raw.get())?);
    }
    match row.into_keys().next() {
        Some(unknown) => Err(RowError::Unknown(unknown)),
        None => Ok(values),
    }
}

/// Checks the values of a row without a database; one of an older schema may lack columns, or have others.
pub(crate) fn check(table: &Table, row: Row) -> Result<(), RowError> {
    let mut columns = table.columns_of_every_schema();
    columns.retain(|column| row.contains_key(column.name));
    values(DbBackend::Sqlite, &columns, row).map(drop)
}

fn parse(backend: DbBackend, column: &Column, raw: &str) -> Result<SimpleExpr, RowError> {
    fn json<T: DeserializeOwned>(column: &Column, raw: &str) -> Result<Option<T>, RowError> {
        serde_json::from_str(raw).map_err(|source| RowError::Value {
            column: column.name,
            source,
        })
    }
    Ok(match column.kind {
        ColumnType::Uuid => Expr::value(json::<Uuid>(column, raw)?),
        ColumnType::TimestampWithTimeZone => Expr::value(json::<DateTime<Utc>>(column, raw)?),
        ColumnType::BigInteger => Expr::value(json::<i64>(column, raw)?),
        ColumnType::Integer => Expr::value(json::<i32>(column, raw)?),
        ColumnType::Boolean => Expr::value(json::<bool>(column, raw)?),
        ColumnType::Double if raw == "null" => Expr::value(None::<f64>),
        ColumnType::Double => {
            // What is no number in JSON, as not-a-number, stands in quotes.
            let number: f64 = raw
                .trim_matches('"')
                .parse()
                .map_err(|_| RowError::Number(column.name))?;
            Expr::value(number)
        }
        ColumnType::Json | ColumnType::JsonBinary => {
            let text = (raw != "null").then(|| raw.to_owned());
            match backend {
                DbBackend::Postgres => Expr::value(text).cast_as("JSONB"),
                _ => Expr::value(text),
            }
        }
        _ => Expr::value(json::<String>(column, raw)?),
    })
}

/// A column as it is read: JSON as its text.
fn readable(column: &Column) -> SimpleExpr {
    match column.kind {
        ColumnType::Json | ColumnType::JsonBinary => Expr::col(column.name).cast_as("TEXT"),
        _ => Expr::col(column.name),
    }
}

fn value(row: &QueryResult, column: &Column) -> Result<Box<RawValue>, DbErr> {
    let name = column.name;
    let raw = match column.kind {
        ColumnType::Uuid => to_raw_value(&row.try_get::<Option<Uuid>>("", name)?),
        ColumnType::TimestampWithTimeZone => to_raw_value(&row.try_get::<Option<DateTime<Utc>>>("", name)?),
        ColumnType::BigInteger => to_raw_value(&row.try_get::<Option<i64>>("", name)?),
        ColumnType::Integer => to_raw_value(&row.try_get::<Option<i32>>("", name)?),
        ColumnType::Boolean => to_raw_value(&row.try_get::<Option<bool>>("", name)?),
        ColumnType::Double => match row.try_get::<Option<f64>>("", name)? {
            Some(number) if !number.is_finite() => to_raw_value(&number.to_string()),
            number => to_raw_value(&number),
        },
        ColumnType::Json | ColumnType::JsonBinary => match row.try_get::<Option<String>>("", name)? {
            // Between values a line break means nothing, and within one there is none; a row is a line.
            Some(text) => RawValue::from_string(text.replace(['\n', '\r'], " ")),
            None => to_raw_value(&()),
        },
        _ => to_raw_value(&row.try_get::<Option<String>>("", name)?),
    };
    raw.map_err(|err| DbErr::Type(format!("{name}: {err}")))
}

/// A part of a key, to go on after its row.
fn key_value(row: &QueryResult, column: &Column) -> Result<SimpleExpr, DbErr> {
    let name = column.name;
    Ok(match column.kind {
        ColumnType::Uuid => Expr::value(row.try_get::<Uuid>("", name)?),
        ColumnType::BigInteger => Expr::value(row.try_get::<i64>("", name)?),
        ColumnType::Integer => Expr::value(row.try_get::<i32>("", name)?),
        _ => Expr::value(row.try_get::<String>("", name)?),
    })
}
