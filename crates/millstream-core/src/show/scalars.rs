//! Numbers, texts, and what holds just one of them.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::num::NonZero;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::Show;
use crate::show_by_display;

show_by_display!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);
show_by_display!(
    NonZero<i32>,
    NonZero<i64>,
    NonZero<u8>,
    NonZero<u16>,
    NonZero<u32>,
    NonZero<u64>,
    NonZero<usize>
);
show_by_display!(bool, char, crate::text::Text);
show_by_display!(IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6);

impl Show for str {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl Show for String {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

/// Whole milliseconds as `1500 ms`, the form of Spark's own durations, with a fraction only where there is one.
impl Show for Duration {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.subsec_nanos() % 1_000_000;
        if nanos == 0 {
            write!(f, "{} ms", self.as_millis())
        } else {
            let fraction = format!("{nanos:06}");
            write!(f, "{}.{} ms", self.as_millis(), fraction.trim_end_matches('0'))
        }
    }
}

impl<T: Show> Show for Option<T> {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Some(value) => within(f, "Some(", value),
            None => f.write_str("None"),
        }
    }

    fn column(&self) -> Option<&dyn Show> {
        self.as_ref().and_then(Show::column)
    }
}

impl<T: Show, E: Show> Show for Result<T, E> {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ok(value) => within(f, "Ok(", value),
            Err(error) => within(f, "Err(", error),
        }
    }
}

fn within(f: &mut fmt::Formatter<'_>, open: &str, value: &impl Show) -> fmt::Result {
    f.write_str(open)?;
    value.show(f)?;
    f.write_str(")")
}

/// What only points to a record is printed as the record.
macro_rules! show_what_is_in_it {
    ($($type:ty),+) => {$(
        impl<T: Show + ?Sized> Show for $type {
            fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).show(f)
            }
        }
    )+};
}

show_what_is_in_it!(&T, &mut T, Box<T>, Rc<T>, Arc<T>);

impl<T: Show + ToOwned + ?Sized> Show for Cow<'_, T> {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).show(f)
    }
}

#[cfg(test)]
mod tests {
    use super::super::shown;
    use super::*;

    fn text(value: &(impl Show + ?Sized)) -> String {
        shown(value).to_string()
    }

    #[test]
    fn numbers_and_texts_are_bare() {
        assert_eq!(text(&-7), "-7");
        assert_eq!(text(&u128::MAX), "340282366920938463463374607431768211455");
        assert_eq!(text(&NonZero::<u32>::MIN), "1");
        assert_eq!(text(&true), "true");
        assert_eq!(text(&'x'), "x");
        assert_eq!(text("a \"quoted\" word"), "a \"quoted\" word");
        assert_eq!(text(&String::from("grün")), "grün");
        assert_eq!(text(&Ipv4Addr::LOCALHOST), "127.0.0.1");
        assert_eq!(text(&crate::text::Text::from("hello")), "hello");
    }

    #[test]
    fn options_and_results_say_which() {
        assert_eq!(text(&Some(1)), "Some(1)");
        assert_eq!(text(&Some(Some("x"))), "Some(Some(x))");
        assert_eq!(text(&None::<i32>), "None");
        assert_eq!(text(&Ok::<_, String>(1)), "Ok(1)");
        assert_eq!(text(&Err::<i32, _>("no number")), "Err(no number)");
    }

    #[test]
    fn durations_are_milliseconds() {
        for (duration, form) in [
            (Duration::ZERO, "0 ms"),
            (Duration::from_secs(2), "2000 ms"),
            (Duration::from_micros(250), "0.25 ms"),
            (Duration::from_nanos(1_000_001), "1.000001 ms"),
        ] {
            assert_eq!(text(&duration), form);
        }
    }

    #[test]
    fn pointers_are_seen_through() {
        assert_eq!(text(&&&1), "1");
        assert_eq!(text(&Box::new((1, 2))), "(1,2)");
        assert_eq!(text(&Arc::<str>::from("shared")), "shared");
        assert_eq!(text(&Rc::new(1.5)), "1.5");
        assert_eq!(text(&Cow::Borrowed("cow")), "cow");
        let dynamic: Box<dyn Show> = Box::new(Some(2));
        assert_eq!(text(&dynamic), "Some(2)");
    }
}
