//! What an operator is called, and what to write where its closure captures variables and must not.

use crate::error::Error;
use crate::operator::Operator;

/// The name of an operator, and the form of it that takes values along.
#[derive(Clone, Copy)]
pub(crate) struct Method {
    pub(crate) name: &'static str,
    first: Option<&'static str>,
    instead: Option<&'static str>,
}

/// An operator without such a form: the records have to bring the values along.
impl From<&'static str> for Method {
    fn from(name: &'static str) -> Self {
        Method { name, first: None, instead: None }
    }
}

impl Method {
    /// Names an operator for whose capturing closure something else can be written.
    pub(crate) const fn or(name: &'static str, instead: &'static str) -> Self {
        Method { name, first: None, instead: Some(instead) }
    }

    /// Names what is called before that form, which has no argument for it.
    pub(crate) const fn after(self, first: &'static str) -> Self {
        Method { first: Some(first), ..self }
    }

    /// Returns the error of a closure that holds so many bytes of variables.
    pub(super) fn captures(self, operator: &Operator, bytes: usize) -> Error {
        let records_bring = || format!("map_env(values, |values, record| ..).{}(..)", self.name);
        let mut remedy = self.instead.map_or_else(records_bring, str::to_owned);
        if let Some(first) = self.first {
            remedy = format!("{first}.{remedy}");
        }
        Error::CapturingClosure { operator: operator.to_string(), bytes, remedy }
    }
}
