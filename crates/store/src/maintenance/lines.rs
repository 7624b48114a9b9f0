//! The format of an export: lines of JSON. The first says what it is, the last how much there was, and each between
//! them holds a row.

use std::io::{BufRead, Read, Write};

use chrono::{DateTime, Utc};
use protocol::{limits::MAX_EXPORT_LINE_BYTES, problem::chain};
use serde::{Deserialize, Serialize};

use super::{TableStatus, TransferError};
use crate::{
    db::{
        copy::{self, Row},
        migrations,
        tables::{TABLES, Table},
    },
    now,
};

/// What an export says in its first line.
const FORMAT: &str = "morpheus-export-1";

/// A line; one of its parts is there.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<Header>,
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<Vec<TableStatus>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Header {
    format: String,
    schema: Vec<String>,
    exported_at: DateTime<Utc>,
}

/// Writes the first line.
pub(crate) fn write_header(out: &mut impl Write, schema: Vec<String>) -> Result<(), TransferError> {
    let header = Header {
        format: FORMAT.to_owned(),
        schema,
        exported_at: now(),
    };
    let line = Line {
        header: Some(header),
        ..Line::default()
    };
    write(out, &line)
}

/// Writes a row.
pub(crate) fn write_row(out: &mut impl Write, table: &str, row: Row) -> Result<(), TransferError> {
    let line = Line {
        table: Some(table.to_owned()),
        row: Some(row),
        ..Line::default()
    };
    write(out, &line)
}

/// Writes the last line.
pub(crate) fn write_end(out: &mut impl Write, tables: &[TableStatus]) -> Result<(), TransferError> {
    let line = Line {
        end: Some(tables.to_vec()),
        ..Line::default()
    };
    write(out, &line)
}

fn write(out: &mut impl Write, line: &Line) -> Result<(), TransferError> {
    serde_json::to_writer(&mut *out, line).map_err(std::io::Error::from)?;
    Ok(out.write_all(b"\n")?)
}

/// An export that is read from its first line to its last.
pub(crate) struct Lines<R> {
    input: R,
    n: u64,
    schema: Vec<String>,
    /// Tables that had a row so far.
    seen: Vec<TableStatus>,
    end: Option<Vec<TableStatus>>,
}

impl<R: BufRead> Lines<R> {
    /// Reads the first line. The schema is this version's or an older one.
    pub(crate) fn open(input: R) -> Result<Self, TransferError> {
        let mut lines = Self {
            input,
            n: 0,
            schema: Vec::new(),
            seen: Vec::new(),
            end: None,
        };
        let header = match lines.line()? {
            Some(Line {
                header: Some(header),
                table: None,
                row: None,
                end: None,
            }) => header,
            Some(_) => return Err(lines.wrong("this is not an export of Morpheus")),
            None => return Err(lines.cut_off()),
        };
        if header.format != FORMAT {
            let problem = format!("the format is `{}` instead of `{FORMAT}`", header.format);
            return Err(lines.wrong(problem));
        }
        migrations::n_steps(&header.schema)
            .map_err(|(found, known)| TransferError::OtherSchema { found, known })?;
        lines.schema = header.schema;
        Ok(lines)
    }

    /// The steps that the schema had gone.
    pub(crate) fn schema(&self) -> &[String] {
        &self.schema
    }

    /// The next row; `None` after the last line, when everything was there.
    pub(crate) fn next_row(&mut self) -> Result<Option<(&'static Table, Row)>, TransferError> {
        let Some(line) = self.line()? else {
            return Err(self.cut_off());
        };
        match (line.header, line.table.zip(line.row), line.end) {
            (None, Some((name, row)), None) => {
                let table = self.table(&name)?;
                Ok(Some((table, row)))
            }
            (None, None, Some(tables)) => {
                self.finish(tables)?;
                Ok(None)
            }
            _ => Err(self.wrong("not in its place")),
        }
    }

    /// Rows of each table, once all were read.
    pub(crate) fn into_tables(self) -> Vec<TableStatus> {
        self.end.unwrap_or(self.seen)
    }

    /// Something is wrong with the line that was read last.
    pub(crate) fn wrong(&self, problem: impl Into<String>) -> TransferError {
        TransferError::Line {
            n: self.n,
            problem: problem.into(),
        }
    }

    fn cut_off(&self) -> TransferError {
        TransferError::Line {
            n: self.n + 1,
            problem: "the end is missing: the file is truncated".to_owned(),
        }
    }

    /// The table of a row: the same as before or one after it, since rows refer to those of tables before theirs.
    fn table(&mut self, name: &str) -> Result<&'static Table, TransferError> {
        let at = |name: &str| TABLES.iter().position(|table| table.name == name);
        let Some(index) = at(name) else {
            return Err(self.wrong(format!("there is no table `{name}`")));
        };
        match self.seen.last_mut() {
            Some(last) if last.name == name => last.n_rows += 1,
            Some(last) if at(&last.name).is_some_and(|last| index < last) => {
                return Err(self.wrong(format!("rows of `{name}` are out of order")));
            }
            _ => self.seen.push(TableStatus {
                name: name.to_owned(),
                n_rows: 1,
            }),
        }
        Ok(&TABLES[index])
    }

    fn finish(&mut self, tables: Vec<TableStatus>) -> Result<(), TransferError> {
        let expected = tables.iter().filter(|table| table.n_rows > 0);
        if !expected.eq(&self.seen) {
            return Err(self.wrong("rows are missing or were added: the file was changed"));
        }
        self.end = Some(tables);
        match self.line()? {
            None => Ok(()),
            Some(_) => Err(self.wrong("there is data after the last line")),
        }
    }

    fn line(&mut self) -> Result<Option<Line>, TransferError> {
        let mut bytes = Vec::new();
        let limit = MAX_EXPORT_LINE_BYTES;
        let n_read = (&mut self.input).take(limit + 1).read_until(b'\n', &mut bytes)?;
        if n_read == 0 {
            return Ok(None);
        }
        self.n += 1;
        if bytes.len() as u64 > limit {
            return Err(self.wrong(format!("longer than {limit} bytes")));
        }
        match serde_json::from_slice(&bytes) {
            Ok(line) => Ok(Some(line)),
            Err(_) => Err(self.wrong("not a line of an export")),
        }
    }
}

/// Reads an export to its end without a database, and calls `each` with every row once its values are known to fit
/// their columns.
pub(crate) fn check(
    input: impl BufRead,
    mut each: impl FnMut(&'static Table, &Row) -> Result<(), String>,
) -> Result<Checked, TransferError> {
    let mut lines = Lines::open(input)?;
    while let Some((table, row)) = lines.next_row()? {
        each(table, &row).map_err(|problem| lines.wrong(problem))?;
        copy::check(table, row).map_err(|err| lines.wrong(chain(&err)))?;
    }
    Ok(Checked {
        schema: lines.schema.clone(),
        tables: lines.into_tables(),
    })
}

/// What a whole export holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) schema: Vec<String>,
    pub(crate) tables: Vec<TableStatus>,
}
