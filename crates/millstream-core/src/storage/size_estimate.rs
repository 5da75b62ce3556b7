//! How much memory records take, roughly.

use std::fmt::Error;
use std::mem;

use serde::ser::{self, Serialize};

/// How many records of a vector are looked at.
const SAMPLES: usize = 16;

/// Estimates the bytes that a record takes: its own and those of the strings and lists in it.
///
/// Costs nothing for types without heap memory, and for others about as much as writing the record without the bytes.
pub fn estimate<T: Serialize>(record: &T) -> usize {
    let own = mem::size_of::<T>();
    if !mem::needs_drop::<T>() {
        return own;
    }
    let mut counter = Counter(0);
    // A type that can not be written is counted as far as it could.
    let _ = record.serialize(&mut counter);
    own + counter.0
}

/// Estimates the bytes that records take together, from some of them.
pub fn estimate_all<T: Serialize>(records: &[T]) -> usize {
    let own = mem::size_of_val(records);
    if records.is_empty() || !mem::needs_drop::<T>() {
        return own;
    }
    let mut counter = Counter(0);
    let samples = records.iter().step_by(records.len().div_ceil(SAMPLES));
    let looked_at = samples.len();
    for record in samples {
        let _ = record.serialize(&mut counter);
    }
    own + (counter.0 as f64 / looked_at as f64 * records.len() as f64) as usize
}

/// The name under which a record writes what it only refers to, as a newtype: what someone else keeps, and would keep if the
/// record were gone, is not counted as the record's.
pub const SHARED: &str = "$millstream shared";

/// A serializer that counts the bytes it is given and keeps none.
struct Counter(usize);

impl Counter {
    fn add(&mut self, bytes: usize) -> Result<(), Error> {
        self.0 = self.0.saturating_add(bytes);
        Ok(())
    }
}

macro_rules! plain {
    ($($method:ident($type:ty),)*) => {$(
        fn $method(self, _: $type) -> Result<(), Error> {
            self.add(mem::size_of::<$type>())
        }
    )*};
}

impl ser::Serializer for &mut Counter {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    plain! {
        serialize_bool(bool), serialize_char(char), serialize_f32(f32), serialize_f64(f64),
        serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64), serialize_i128(i128),
        serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64), serialize_u128(u128),
    }

    fn serialize_str(self, text: &str) -> Result<(), Error> {
        self.add(text.len())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Error> {
        self.add(bytes.len())
    }

    fn serialize_none(self) -> Result<(), Error> {
        Ok(())
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Error> {
        Ok(())
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        if name == SHARED { Ok(()) } else { value.serialize(self) }
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self, Error> {
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, Error> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Error> {
        Ok(self)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Error> {
        Ok(self)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self, Error> {
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Error> {
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Error> {
        Ok(self)
    }

    // Numbers are counted by their size whoever reads them, so the short form is taken.
    fn is_human_readable(&self) -> bool {
        false
    }
}

macro_rules! parts {
    ($($trait:ident { $method:ident($($name:ty)?) })*) => {$(
        impl ser::$trait for &mut Counter {
            type Ok = ();
            type Error = Error;

            fn $method<T: ?Sized + Serialize>(&mut self, $(_: $name,)? value: &T) -> Result<(), Error> {
                value.serialize(&mut **self)
            }

            fn end(self) -> Result<(), Error> {
                Ok(())
            }
        }
    )*};
}

parts! {
    SerializeSeq { serialize_element() }
    SerializeTuple { serialize_element() }
    SerializeTupleStruct { serialize_field() }
    SerializeTupleVariant { serialize_field() }
    SerializeStruct { serialize_field(&'static str) }
    SerializeStructVariant { serialize_field(&'static str) }
}

impl ser::SerializeMap for &mut Counter {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Result<(), Error> {
        key.serialize(&mut **self)
    }

    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[derive(serde::Serialize)]
    enum Shape {
        Point,
        Named { name: String, size: u32 },
        Pair(String, Option<String>),
        Bytes(Vec<u8>),
    }

    #[test]
    fn counts_what_a_record_owns() {
        assert_eq!(estimate(&7_u64), 8);
        assert_eq!(estimate(&(1_u64, 2_u64, [3_u8; 16])), 32);
        assert_eq!(estimate(&"x".repeat(1000)), 24 + 1000);
        assert_eq!(estimate(&vec![1_u64; 100]), 24 + 800);
        assert_eq!(estimate(&HashMap::from([("ab".to_owned(), 1_u32)])), 48 + 6);
        let own = mem::size_of::<Shape>();
        assert_eq!(estimate(&Shape::Point), own);
        assert_eq!(estimate(&Shape::Named { name: "abc".to_owned(), size: 1 }), own + 7);
        assert_eq!(estimate(&Shape::Pair("abc".to_owned(), Some("de".to_owned()))), own + 5);
        assert_eq!(estimate(&Shape::Bytes(vec![0; 99])), own + 99);
    }

    #[test]
    fn estimates_many_from_some() {
        assert_eq!(estimate_all::<String>(&[]), 0);
        assert_eq!(estimate_all(&[1_u8, 2, 3]), 3);
        let lines: Vec<String> = (0..1000).map(|n| "x".repeat(90 + n % 20)).collect();
        let exact: usize = lines.iter().map(estimate).sum();
        assert!(estimate_all(&lines).abs_diff(exact) < exact / 20);
        assert_eq!(estimate_all(&lines[..10]), lines[..10].iter().map(estimate).sum::<usize>());
    }
}
