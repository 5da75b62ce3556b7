//! How code that was made on the driver is found again in another process of the same program.
//!
//! Functions do not travel; what travels is the address of their code, relative to an anchor in the same binary, with a
//! hash of the closure's type as a check. That is enough for a closure that captures nothing: it has no other
//! content than its code. Values go along as records, next to the address.

use std::any::{Any, TypeId};
use std::path::Path;
use std::ptr::NonNull;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::shuffle::hash::pinned_hash;
use crate::variables::take_problem;

/// The address of a function in this program's binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CodeAddress {
    offset: isize,
    type_hash: u64,
}

/// The function all addresses are relative to.
fn anchor() -> usize {
    let anchor: fn() -> usize = anchor;
    anchor as usize
}

/// Equal in all processes of one binary, and different for two closures of one function (whose type names are equal).
pub(crate) fn type_hash<F: 'static>() -> u64 {
    pinned_hash(&TypeId::of::<F>())
}

impl CodeAddress {
    /// Names the function at `pointer`, which was compiled for the closure type `F`.
    pub(crate) fn of<F: 'static>(pointer: usize) -> Self {
        CodeAddress { offset: pointer.wrapping_sub(anchor()) as isize, type_hash: type_hash::<F>() }
    }

    /// Returns the function's place in this process.
    ///
    /// Only meaningful for an address made by a process with the same [`build_id`].
    pub(crate) fn pointer(self) -> usize {
        anchor().wrapping_add_signed(self.offset)
    }

    /// Makes the closure of type `F` that this address was made for, out of nothing.
    pub(crate) fn conjure<F: 'static>(self) -> Result<F> {
        if self.type_hash != type_hash::<F>() {
            return Err(Error::Codec {
                what: format!("closure `{}`", std::any::type_name::<F>()),
                problem: "the code at this address belongs to another closure; driver and executors must be the same \
                          binary"
                    .into(),
            });
        }
        if size_of::<F>() != 0 {
            return Err(Error::Codec {
                what: format!("closure `{}`", std::any::type_name::<F>()),
                problem: format!("captures {} bytes, which did not travel with it", size_of::<F>()),
            });
        }
        // SAFETY: `F` has no bytes to read, and a dangling pointer is aligned. Every value of it is this one, and one
        // existed on the driver (the address was made from it), hence the type is inhabited.
        Ok(unsafe { NonNull::<F>::dangling().read() })
    }
}

/// Returns a number that two processes share if and only if they run the same binary.
///
/// # Errors
/// If the program's own file can not be read.
pub(crate) fn build_id() -> Result<u64> {
    static ID: OnceLock<Result<u64>> = OnceLock::new();
    ID.get_or_init(|| {
        // The running image, even if the file has been replaced meanwhile.
        let image = Path::new("/proc/self/exe");
        let path = if image.exists() {
            image.to_owned()
        } else {
            std::env::current_exe().map_err(|error| Error::io("finding the program's own file", error))?
        };
        let bytes = std::fs::read(&path).map_err(|error| {
            Error::io(format!("reading the program's own file {}", path.display()), error)
        })?;
        Ok(pinned_hash(bytes.as_slice()))
    })
    .clone()
}

/// Turns a record into bytes.
pub(crate) fn encode<T: Serialize>(what: &str, record: &T) -> Result<Vec<u8>> {
    postcard::to_stdvec(record)
        .map_err(|error| Error::Codec { what: format!("encoding {what}"), problem: error.to_string() })
}

/// Turns bytes into a record.
pub(crate) fn decode<T: serde::de::DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T> {
    postcard::from_bytes(bytes).map_err(|error| {
        let problem = take_problem().unwrap_or_else(|| error.to_string());
        Error::Codec { what: format!("decoding {what}"), problem }
    })
}

/// Returns a value whose type has been forgotten as what it is.
pub(crate) fn downcast<R: 'static>(value: Box<dyn Any + Send>) -> Result<R> {
    value.downcast().map(|value| *value).map_err(|_| Error::poisoned("a task's result has another type"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn double() -> i32 {
        2
    }

    fn address_for<F: 'static>(_: &F) -> CodeAddress {
        let function: fn() -> i32 = double;
        CodeAddress::of::<F>(function as usize)
    }

    fn conjure_like<F: 'static>(_: &F, address: CodeAddress) -> Result<F> {
        address.conjure()
    }

    #[test]
    fn an_address_survives_being_written() {
        let address = address_for(&());
        let bytes = encode("address", &address).unwrap();
        let back: CodeAddress = decode("address", &bytes).unwrap();
        let function: fn() -> i32 = double;
        assert_eq!(back.pointer(), function as usize);
    }

    #[test]
    fn only_the_same_closure_without_captures_is_conjured() {
        let plain = |n: i32| n + 1;
        let address = address_for(&plain);
        assert_eq!(conjure_like(&plain, address).unwrap()(1), 2);

        let other = |n: i32| n + 1;
        assert!(conjure_like(&other, address).is_err());

        let captured = std::env::args().count();
        let capturing = move |n: usize| n + captured;
        let error = conjure_like(&capturing, address_for(&capturing)).err().unwrap();
        assert!(error.to_string().contains("captures 8 bytes"), "{error}");
    }

    #[test]
    fn the_build_id_is_stable_within_a_process() {
        assert_eq!(build_id().unwrap(), build_id().unwrap());
    }
}
