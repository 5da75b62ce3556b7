//! How `print` and `save_as_text_files` write records: as Scala does.

mod collections;
mod floats;
mod scalars;
mod tuples;

use std::fmt;

/// A record that can be printed, in the form in which Scala prints it.
///
/// | Type | Form |
/// |---|---|
/// | integers, `bool`, `char`, strings | as they are, without quotes: `7`, `true`, `x`, `hello` |
/// | `f64`, `f32` | as Java writes them: `1.0`, `0.001`, `1.0E10`, `1.0E-5`, `NaN`, `-Infinity` |
/// | `()` | `()` |
/// | tuples, up to 12 | `(hello,1)`, `(a,(1,2))` |
/// | `Option` | `Some(1)`, `None` |
/// | `Result` | `Ok(1)`, `Err(no number)` |
/// | `Vec`, `VecDeque`, slices, arrays | `List(1, 2)` |
/// | `HashMap`, `BTreeMap` | `Map(a -> 1, b -> 2)` |
/// | `HashSet`, `BTreeSet` | `Set(a, b)` |
/// | `Duration` | `1500 ms`, `0.25 ms` |
/// | `Box`, `Rc`, `Arc`, `Cow`, `&T` | what is in them |
///
/// Scala's form has two tastes that this keeps: a comma without a blank in tuples, with a blank in collections.
///
/// # Own types
/// A type with `Display` takes one line, [`show_by_display!`](crate::show_by_display). Others write `show` themselves.
/// (`Show` is not there for every `Display` type at once, because a later version of Rust might give tuples `Display`,
/// and the compiler does not allow two implementations that may meet.)
///
/// # Examples
/// ```
/// use std::fmt;
/// use millstream_core::show::{Show, shown};
///
/// struct Point { x: i32, y: i32 }
///
/// impl Show for Point {
///     fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         write!(f, "{}/{}", self.x, self.y)
///     }
/// }
///
/// assert_eq!(shown(&(Point { x: 1, y: 2 }, Some(0.5))).to_string(), "(1/2,Some(0.5))");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can not be printed",
    label = "this record has no printed form",
    note = "for an own type with `Display` write `millstream::show_by_display!({Self});`, else implement `Show` for it",
    note = "or turn the records into text first: `.map(|record| format!(..))`"
)]
pub trait Show {
    /// Writes the record.
    ///
    /// # Errors
    /// Only what `f` returns.
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// Returns what stands for it in a line of key and value: itself, unless it is nothing.
    ///
    /// Nothing are `()` and `None`; of `Some` it is what is in it.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::show::{Show, shown};
    ///
    /// let column = |value: Option<i32>| value.column().map(|shows| shown(shows).to_string());
    /// assert_eq!((column(Some(1)), column(None)), (Some("1".into()), None));
    /// ```
    fn column(&self) -> Option<&dyn Show>
    where
        Self: Sized,
    {
        Some(self)
    }
}

/// A record that is written by its [`Show`] where `Display` is asked for: see [`shown`].
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a, T: ?Sized>(&'a T);

/// Returns something to hand to `format!` and `println!` that writes `record` in Scala's form.
///
/// # Examples
/// ```
/// use millstream_core::show::shown;
///
/// assert_eq!(format!("{}", shown(&("hello", 1))), "(hello,1)");
/// assert_eq!(format!("{:>6}|{:<5}|", shown(&(1, 2)), shown(&1.0)), " (1,2)|1.0  |");
/// ```
pub fn shown<T: Show + ?Sized>(record: &T) -> Shown<'_, T> {
    Shown(record)
}

impl<T: Show + ?Sized> fmt::Display for Shown<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A width is meant for the record as a whole, but parts would inherit it with the formatter.
        if f.width().is_none() && f.precision().is_none() {
            return self.0.show(f);
        }
        f.pad(&shown(self.0).to_string())
    }
}

/// Prints own types the way their `Display` does.
///
/// # Examples
/// ```
/// use std::fmt;
/// use millstream_core::{show::shown, show_by_display};
///
/// struct Celsius(f64);
///
/// impl fmt::Display for Celsius {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         write!(f, "{:.1} °C", self.0)
///     }
/// }
///
/// show_by_display!(Celsius);
///
/// assert_eq!(shown(&("Berlin", Celsius(21.5))).to_string(), "(Berlin,21.5 °C)");
/// ```
#[macro_export]
macro_rules! show_by_display {
    ($($type:ty),+ $(,)?) => {$(
        impl $crate::show::Show for $type {
            fn show(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(self, f)
            }
        }
    )+};
}
