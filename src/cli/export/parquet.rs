//! Tables as Apache Parquet: a row group a batch, compressed with Snappy, which every reader knows.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;

use crate::error::{Error, Result};
use crate::results::{Column, Entries, Rows, Sink};

/// A Parquet file.
pub(super) struct Parquet {
    path: PathBuf,
    file: Option<File>,
    writer: Option<SerializedFileWriter<File>>,
}

impl Parquet {
    pub fn new(path: PathBuf) -> Result<Self> {
        let file = File::create(&path).map_err(|e| Error::file("write", &path, e))?;
        Ok(Self { path, file: Some(file), writer: None })
    }

    pub fn finish(mut self) -> Result<PathBuf> {
        if let Some(writer) = self.writer.take() {
            writer.close().map_err(|e| failure(&self.path, e))?;
        }
        Ok(self.path)
    }

    fn write(&mut self, rows: &Rows) -> std::result::Result<(), ParquetError> {
        if let Some(file) = self.file.take() {
            let columns = rows.columns.iter().map(|column| field(column).map(Arc::new));
            let schema = Type::group_type_builder("table").with_fields(columns.collect::<Result<_, _>>()?).build()?;
            let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
            self.writer = Some(SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))?);
        }
        let Some(writer) = self.writer.as_mut() else { return Ok(()) };
        if rows.count == 0 {
            return Ok(());
        }
        let mut group = writer.next_row_group()?;
        let mut columns = rows.columns.iter();
        while let (Some(mut out), Some(column)) = (group.next_column()?, columns.next()) {
            match &column.entries {
                Entries::Number(entries) => put::<DoubleType, _>(&mut out, entries, |x| *x)?,
                Entries::Whole(entries) => put::<Int64Type, _>(&mut out, entries, |x| *x)?,
                Entries::Flag(entries) => put::<BoolType, _>(&mut out, entries, |x| *x)?,
                Entries::Text(entries) => {
                    put::<ByteArrayType, _>(&mut out, entries, |text| ByteArray::from(text.as_str()))?;
                }
            }
            out.close()?;
        }
        group.close()?;
        Ok(())
    }
}

impl Sink for Parquet {
    fn rows(&mut self, rows: &Rows) -> Result<()> {
        self.write(rows).map_err(|e| failure(&self.path, e))
    }
}

fn failure(path: &PathBuf, error: ParquetError) -> Error {
    Error::file("write", path, std::io::Error::other(error))
}

/// A column that may have missing entries.
fn field(column: &Column) -> std::result::Result<Type, ParquetError> {
    let (physical, logical) = match column.entries {
        Entries::Number(_) => (Physical::DOUBLE, None),
        Entries::Whole(_) => (Physical::INT64, None),
        Entries::Flag(_) => (Physical::BOOLEAN, None),
        Entries::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
    };
    let field = Type::primitive_type_builder(&column.name, physical).with_repetition(Repetition::OPTIONAL);
    field.with_logical_type(logical).build()
}

/// Writes the entries that are there, and which those are.
fn put<T: DataType, X>(
    out: &mut SerializedColumnWriter<'_>,
    entries: &[Option<X>],
    convert: impl Fn(&X) -> T::T,
) -> std::result::Result<(), ParquetError> {
    let values: Vec<T::T> = entries.iter().flatten().map(convert).collect();
    let there: Vec<i16> = entries.iter().map(|entry| i16::from(entry.is_some())).collect();
    out.typed::<T>().write_batch(&values, Some(&there), None)?;
    Ok(())
}
