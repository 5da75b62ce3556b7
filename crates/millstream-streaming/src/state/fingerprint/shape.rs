//! How serde reads a type: a deserializer that gives the simplest value and writes down what it was asked for.

use std::any::type_name;
use std::fmt;

use serde::de::value::StringDeserializer;
use serde::de::{self, DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};

mod variants;

use variants::Variants;

/// How deep types may lie in each other.
const DEPTH: usize = 20;
/// Below so many levels left, what may be empty is: types that contain themselves end there.
const ENDS: usize = 12;

/// What stands between the simplest value and the other variants of enums.
const ALSO: &str = "; ";

/// How often a type is read to come to all variants.
const MOST: usize = 1000;

/// Returns how serde reads a type: `Session{user: String, clicks: [u64]}`.
///
/// Of an enum the first variant is followed where it stands; what the others hold is told behind the whole:
/// `Kind<Idle|Short|Long>; Kind::Short=u8; Kind::Long{seconds: u32}`. Where the simplest value is refused by the type the shape ends with
/// `!`.
pub(in crate::state) fn of<T: de::DeserializeOwned>() -> String {
    let mut variants = Variants::default();
    let (mut shape, is_whole) = read::<T>(&mut variants);
    if !is_whole {
        shape.push('!');
        return shape;
    }
    // Each time other variants are followed, until all have been.
    for _ in 0..MOST {
        if !variants.are_left() {
            break;
        }
        variants.is_first = false;
        read::<T>(&mut variants);
    }
    for also in variants.told {
        shape.push_str(ALSO);
        shape.push_str(&also);
    }
    shape
}

/// Returns whether what was saved of a shape is read by another one: they are the same, as far as it is told. Shapes of before knew
/// nothing of what later variants of enums hold, nor of what comes behind a `NonZero`.
pub(in crate::state) fn fits(now: &str, saved: &str) -> bool {
    now == saved
        || (!saved.contains(ALSO) && now.split(ALSO).next() == Some(saved))
        || saved.strip_suffix('!').is_some_and(|known| now.starts_with(known))
}

/// Has a type read the simplest value; returns what it asked for, and whether it has taken it.
fn read<T: de::DeserializeOwned>(variants: &mut Variants) -> (String, bool) {
    let mut text = String::new();
    let is_whole = T::deserialize(Tracer { text: &mut text, variants, depth: DEPTH }).is_ok();
    (text, is_whole)
}

struct Tracer<'a> {
    text: &'a mut String,
    variants: &'a mut Variants,
    depth: usize,
}

#[derive(Debug)]
struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Refused
    }
}

impl Tracer<'_> {
    fn deeper(&mut self) -> Result<Tracer<'_>, Refused> {
        let depth = self.depth.checked_sub(1).ok_or(Refused)?;
        Ok(Tracer { depth, ..self.beside() })
    }

    /// Returns what traces a part that lies as deep.
    fn beside(&mut self) -> Tracer<'_> {
        Tracer { text: self.text, variants: self.variants, depth: self.depth }
    }
}

macro_rules! plain {
    ($($method:ident $visit:ident $value:expr, $name:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            self.text.push_str($name);
            visitor.$visit($value)
        }
    )*};
}

impl<'de> Deserializer<'de> for Tracer<'_> {
    type Error = Refused;

    plain! {
        deserialize_bool visit_bool false, "bool";
        deserialize_i8 visit_i8 1, "i8";
        deserialize_i16 visit_i16 1, "i16";
        deserialize_i32 visit_i32 1, "i32";
        deserialize_i64 visit_i64 1, "i64";
        deserialize_i128 visit_i128 1, "i128";
        deserialize_u8 visit_u8 1, "u8";
        deserialize_u16 visit_u16 1, "u16";
        deserialize_u32 visit_u32 1, "u32";
        deserialize_u64 visit_u64 1, "u64";
        deserialize_u128 visit_u128 1, "u128";
        deserialize_f32 visit_f32 1.0, "f32";
        deserialize_f64 visit_f64 1.0, "f64";
        deserialize_char visit_char 'a', "char";
        deserialize_str visit_borrowed_str "", "String";
        deserialize_string visit_string String::new(), "String";
        deserialize_bytes visit_borrowed_bytes b"", "bytes";
        deserialize_byte_buf visit_byte_buf Vec::new(), "bytes";
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refused> {
        self.text.push_str("any");
        Err(Refused)
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refused> {
        // A type that contains itself ends here.
        if self.depth < ENDS {
            self.text.push_str("..");
            return visitor.visit_none();
        }
        self.text.push_str("Option<");
        let value = visitor.visit_some(self.deeper()?)?;
        self.text.push('>');
        Ok(value)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.text.push_str("()");
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.text.push_str(name);
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.text.push_str(name);
        self.text.push('(');
        let value = visitor.visit_newtype_struct(self.deeper()?)?;
        self.text.push(')');
        Ok(value)
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refused> {
        if self.depth < ENDS {
            self.text.push_str("..");
            return visitor.visit_seq(Elements { tracer: self, left: 0, first: true });
        }
        self.text.push('[');
        let value = visitor.visit_seq(Elements { tracer: self.deeper()?, left: 1, first: true })?;
        self.text.push(']');
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(mut self, len: usize, visitor: V) -> Result<V::Value, Refused> {
        self.text.push('(');
        let value = visitor.visit_seq(Elements { tracer: self.deeper()?, left: len, first: true })?;
        self.text.push(')');
        Ok(value)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.text.push_str(name);
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refused> {
        if self.depth < ENDS {
            self.text.push_str("..");
            return visitor.visit_map(Pairs { tracer: self, left: 0 });
        }
        self.text.push('{');
        let value = visitor.visit_map(Pairs { tracer: self.deeper()?, left: 1 })?;
        self.text.push('}');
        Ok(value)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.text.push_str(name);
        self.text.push('{');
        let value = visitor.visit_seq(Fields { tracer: self.deeper()?, fields, at: 0 })?;
        self.text.push('}');
        Ok(value)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.text.push_str(name);
        self.text.push('<');
        self.text.push_str(&variants.join("|"));
        self.text.push('>');
        let id = type_name::<V>();
        let (place, is_new) = self.variants.choose(id, variants.len());
        let variant = *variants.get(place).ok_or(Refused)?;
        let is_also = is_new && !self.variants.is_first;
        let before = self.text.len();
        self.variants.within.push(id);
        let read = self.deeper().and_then(|tracer| visitor.visit_enum(Followed { tracer, variant }));
        self.variants.within.pop();
        let holds = self.text.get(before..).unwrap_or_default();
        // One that holds nothing is told by its name.
        if is_also && !holds.is_empty() {
            self.variants.told.push(format!("{name}::{variant}{holds}"));
        }
        read
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_u64(0)
    }

    forward_to_deserialize_any! { ignored_any }
}

/// Some values in a row.
struct Elements<'a> {
    tracer: Tracer<'a>,
    left: usize,
    first: bool,
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refused> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        if !std::mem::take(&mut self.first) {
            self.tracer.text.push_str(", ");
        }
        seed.deserialize(self.tracer.beside()).map(Some)
    }
}

/// The fields of a struct, with their names.
struct Fields<'a> {
    tracer: Tracer<'a>,
    fields: &'static [&'static str],
    at: usize,
}

impl<'de> SeqAccess<'de> for Fields<'_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refused> {
        let Some(field) = self.fields.get(self.at) else { return Ok(None) };
        if self.at > 0 {
            self.tracer.text.push_str(", ");
        }
        self.at += 1;
        self.tracer.text.push_str(field);
        self.tracer.text.push_str(": ");
        seed.deserialize(self.tracer.beside()).map(Some)
    }
}

/// The entries of a map.
struct Pairs<'a> {
    tracer: Tracer<'a>,
    left: usize,
}

impl<'de> MapAccess<'de> for Pairs<'_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refused> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(self.tracer.beside()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        self.tracer.text.push_str(": ");
        seed.deserialize(self.tracer.beside())
    }
}

/// A variant of an enum.
struct Followed<'a> {
    tracer: Tracer<'a>,
    variant: &'static str,
}

impl<'a, 'de> EnumAccess<'de> for Followed<'a> {
    type Error = Refused;
    type Variant = Tracer<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Tracer<'a>), Refused> {
        let name = StringDeserializer::<Refused>::new(self.variant.to_owned());
        Ok((seed.deserialize(name)?, self.tracer))
    }
}

impl<'de> VariantAccess<'de> for Tracer<'_> {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Refused> {
        self.text.push('=');
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_struct("", fields, visitor)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};

    use super::{fits, of};

    #[derive(Serialize, Deserialize)]
    #[allow(dead_code, reason = "only its shape is looked at")]
    struct Session {
        user: String,
        clicks: Vec<(u64, f32)>,
        last: Option<Kind>,
        parent: Option<Box<Session>>,
    }

    #[derive(Serialize, Deserialize)]
    #[allow(dead_code, reason = "only its shape is looked at")]
    enum Kind {
        Short(u8),
        Long { seconds: u32 },
    }

    #[derive(Serialize, Deserialize)]
    struct Meters(f64);

    #[test]
    fn shapes_name_fields_and_types() {
        assert_eq!(of::<u64>(), "u64");
        assert_eq!(of::<(String, Option<char>)>(), "(String, Option<char>)");
        assert_eq!(of::<BTreeMap<String, Meters>>(), "{String: Meters(f64)}");
        let shape = of::<Session>();
        let start = "Session{user: String, clicks: [(u64, f32)], last: Option<Kind<Short|Long>=u8>, \
                     parent: Option<Session{user: ";
        assert!(shape.starts_with(start), "{shape}");
        assert!(shape.ends_with("; Kind::Long{seconds: u32}"), "{shape}");
        assert_eq!(of::<(std::num::NonZeroU8, char)>(), "(u8, char)");
    }

    #[derive(Serialize, Deserialize)]
    #[allow(dead_code, reason = "only its shape is looked at")]
    enum Order {
        New,
        Open(Kind, Outcome),
        Split(Box<Order>, Box<Order>),
    }

    #[derive(Serialize, Deserialize)]
    #[allow(dead_code, reason = "only its shape is looked at")]
    enum Outcome {
        None,
        Some(i64, String),
        Late([u8; 2]),
    }

    #[test]
    fn of_each_variant_it_is_told_what_it_holds() {
        let shape = of::<Vec<Order>>();
        let also = [
            "Kind::Short=u8",
            "Order::Open(Kind<Short|Long>=u8, Outcome<None|Some|Late>)",
            "Order::Split(Order<New|Open|Split>, Order<New|Open|Split>)",
            "Kind::Long{seconds: u32}",
            "Outcome::Some(i64, String)",
            "Outcome::Late=(u8, u8)",
        ];
        assert_eq!(shape, format!("[Order<New|Open|Split>]; {}", also.join("; ")));
    }

    #[test]
    fn enums_of_one_name_and_other_types_are_told_apart() {
        type Both<T> = (Result<u8, u16>, Result<u8, T>);
        let shape = of::<Both<u32>>();
        assert!(shape.contains("Err=u16") && shape.contains("Err=u32"), "{shape}");
        assert!(!fits(&of::<Both<u64>>(), &shape));
    }

    mod before {
        use super::*;

        #[derive(Serialize, Deserialize)]
        #[allow(dead_code, reason = "only its shape is looked at")]
        pub(super) enum Kind {
            Short(u8),
            Long { seconds: u64 },
        }
    }

    #[test]
    fn what_a_later_variant_holds_counts_where_it_is_known() {
        assert!(fits(&of::<Kind>(), &of::<Kind>()));
        assert!(!fits(&of::<Kind>(), &of::<before::Kind>()));
        // As older versions have written it.
        assert!(fits(&of::<Kind>(), "Kind<Short|Long>=u8"));
        assert!(!fits(&of::<Kind>(), "Kind<Short|Long>=u16"));
        assert!(!fits("u8", "u16"));
        // As they have told of what refuses 0.
        assert!(fits("(u8, char)", "(u8!") && !fits("(u16, char)", "(u8!"));
    }
}
