//! Tuples: `(hello,1)`.

use std::fmt;

use super::Show;

impl Show for () {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("()")
    }

    fn column(&self) -> Option<&dyn Show> {
        None
    }
}

macro_rules! show_tuple {
    ($first:ident $($rest:ident)*) => {
        impl<$first: Show, $($rest: Show),*> Show for ($first, $($rest,)*) {
            #[allow(non_snake_case, reason = "a member has the name of its type")]
            fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let ($first, $($rest,)*) = self;
                f.write_str("(")?;
                $first.show(f)?;
                $(
                    f.write_str(",")?;
                    $rest.show(f)?;
                )*
                f.write_str(")")
            }
        }
    };
}

show_tuple!(A);
show_tuple!(A B);
show_tuple!(A B C);
show_tuple!(A B C D);
show_tuple!(A B C D E);
show_tuple!(A B C D E F);
show_tuple!(A B C D E F G);
show_tuple!(A B C D E F G H);
show_tuple!(A B C D E F G H I);
show_tuple!(A B C D E F G H I J);
show_tuple!(A B C D E F G H I J K);
show_tuple!(A B C D E F G H I J K L);

#[cfg(test)]
mod tests {
    use super::super::shown;

    #[test]
    fn members_are_parted_by_commas_alone() {
        assert_eq!(shown(&()).to_string(), "()");
        assert_eq!(shown(&(1,)).to_string(), "(1)");
        assert_eq!(shown(&("hello", 1)).to_string(), "(hello,1)");
        assert_eq!(shown(&("a", (1, 2))).to_string(), "(a,(1,2))");
        assert_eq!(shown(&((1, 'b'), None::<()>, 2.0)).to_string(), "((1,b),None,2.0)");
        assert_eq!(shown(&(1, 2, 3, 4, 5, 6, 7, 8)).to_string(), "(1,2,3,4,5,6,7,8)");
        assert_eq!(
            shown(&(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)).to_string(),
            "(1,2,3,4,5,6,7,8,9,10,11,12)"
        );
    }

    #[test]
    fn a_width_is_for_the_whole() {
        assert_eq!(format!("{:8}|", shown(&(1, 2))), "(1,2)   |");
        assert_eq!(format!("{:>8}|", shown(&(1, 2))), "   (1,2)|");
        assert_eq!(format!("{:.3}|", shown(&("abcdef", 2))), "(ab|");
    }
}
