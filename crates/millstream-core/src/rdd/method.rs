//! What an operator is called, and what to write where its closure captures variables and must not.

use crate::error::Error;
use crate::operator::Operator;

/// The name of an operator, and the form of it that takes values along.
#[derive(Clone, Copy)]
pub(crate) struct Method {
    pub(crate) name: &'static str,
    instead: Option<&'static str>,
}

/// An operator without such a form: the records have to bring the values along.
impl From<&'static str> for Method {
    fn from(name: &'static str) -> Self {
        Method { name, instead: None }
    }
}

impl Method {
    /// Names an operator for whose capturing closure something else can be written.
    pub(crate) const fn or(name: &'static str, instead: &'static str) -> Self {
        Method { name, instead: Some(instead) }
    }

    /// Returns the error of a closure that holds so many bytes of variables.
    pub(super) fn captures(self, operator: &Operator, bytes: usize) -> Error {
        let records_bring = || format!("map_env(values, |values, record| ..).{}(..)", self.name);
        let remedy = self.instead.map_or_else(records_bring, str::to_owned);
        Error::CapturingClosure { operator: operator.to_string(), bytes, remedy }
    }
}
