//! Named variables: broadcasts and accumulators that a program gets or makes by name, and that can be saved.

use std::any::{Any, type_name};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::accumulator::{
    Accumulator, CollectionAccumulator, DoubleAccumulator, DoubleSum, LongAccumulator, LongSum, Registered,
};
use crate::broadcast::Broadcast;
use crate::context::Context;
use crate::data::Data;
use crate::error::{Error, Result};
use crate::function;
use crate::scheduler::panics;

/// The value of a named variable as it is saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedVariable {
    /// The name.
    pub name: String,
    /// What the value is, in Rust's words.
    pub type_name: String,
    /// The value.
    pub bytes: Vec<u8>,
}

/// The named variables of a context, which holds them as long as it lives.
#[derive(Default)]
pub(crate) struct NamedVariables(Mutex<Names>);

#[derive(Default)]
struct Names {
    here: BTreeMap<String, Held>,
    /// What an earlier run has left and nobody has asked for yet.
    left: BTreeMap<String, SavedVariable>,
}

#[derive(Clone)]
struct Held {
    type_name: &'static str,
    handle: Arc<dyn Any + Send + Sync>,
    save: fn(&(dyn Any + Send + Sync)) -> Result<Vec<u8>>,
}

impl NamedVariables {
    fn lock(&self) -> MutexGuard<'_, Names> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the variable of a name; the first time `make` makes it, of the value an earlier run has left if there is one.
    fn get_or_make<H: Clone + Send + Sync + 'static, V: Data>(
        &self,
        name: &str,
        save: fn(&(dyn Any + Send + Sync)) -> Result<Vec<u8>>,
        make: impl FnOnce(Option<V>) -> H,
    ) -> Result<H> {
        let found = |names: &Names| names.here.get(name).map(|held| typed::<H>(name, held));
        let left = {
            let names = self.lock();
            if let Some(handle) = found(&names) {
                return handle;
            }
            names.left.get(name).cloned()
        };
        // Outside of the lock: reading and making the value is the user's code.
        let value = left.map(|left| restored::<V>(&left)).transpose()?;
        let handle = make(value);
        let mut names = self.lock();
        if let Some(handle) = found(&names) {
            return handle;
        }
        names.left.remove(name);
        let held = Held { type_name: type_name::<V>(), handle: Arc::new(handle.clone()), save };
        names.here.insert(name.to_owned(), held);
        Ok(handle)
    }

    fn replace<H: Send + Sync + 'static, V: Data>(
        &self,
        name: &str,
        save: fn(&(dyn Any + Send + Sync)) -> Result<Vec<u8>>,
        handle: H,
    ) -> Result<()> {
        let mut names = self.lock();
        if let Some(held) = names.here.get(name) {
            typed_ref::<H>(name, held)?;
        }
        names.left.remove(name);
        let held = Held { type_name: type_name::<V>(), handle: Arc::new(handle), save };
        let before = names.here.insert(name.to_owned(), held);
        drop(names);
        drop(before); // after the lock: it may be the last handle of a value
        Ok(())
    }
}

fn typed_ref<'a, H: 'static>(name: &str, held: &'a Held) -> Result<&'a H> {
    held.handle.downcast_ref::<H>().ok_or_else(|| Error::Argument {
        operator: format!("variable `{name}`"),
        problem: format!("it was made as another kind of variable, of `{}`, in this program", held.type_name),
        remedy: "give each variable a name of its own".into(),
    })
}

fn typed<H: Clone + 'static>(name: &str, held: &Held) -> Result<H> {
    typed_ref::<H>(name, held).cloned()
}

fn restored<V: Data>(left: &SavedVariable) -> Result<V> {
    if left.type_name == type_name::<V>() {
        return function::decode("saved variable", &left.bytes);
    }
    Err(Error::Argument {
        operator: format!("variable `{}`", left.name),
        problem: format!(
            "the value that was saved is a `{}`, the program asks for a `{}`",
            left.type_name,
            type_name::<V>()
        ),
        remedy: "ask for it under another name, which begins anew".into(),
    })
}

fn save_broadcast<T: Data>(handle: &(dyn Any + Send + Sync)) -> Result<Vec<u8>> {
    match handle.downcast_ref::<Broadcast<T>>() {
        Some(broadcast) => function::encode("broadcast value", broadcast.try_value()?),
        None => Err(Error::poisoned("a named variable is another one")),
    }
}

fn save_accumulator<A: Accumulator>(handle: &(dyn Any + Send + Sync)) -> Result<Vec<u8>> {
    match handle.downcast_ref::<Registered<A>>() {
        Some(accumulator) => function::encode("accumulator", &accumulator.state()),
        None => Err(Error::poisoned("a named variable is another one")),
    }
}

impl Context {
    /// Returns the broadcast of a name; the first time `value` makes it.
    ///
    /// The context holds it, so that the name finds it wherever the program asks. With a checkpoint directory its value is
    /// saved with each batch; a program that is recovered gets the saved value, and `value` is not called.
    ///
    /// # Errors
    /// If the name belongs to a variable of another type, here or in what was saved.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let list = || context.broadcast_named("stop words", || vec!["the".to_owned()]);
    /// assert_eq!(list()?.id(), list()?.id());
    /// assert_eq!(*list()?, ["the"]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn broadcast_named<T: Data>(&self, name: &str, value: impl FnOnce() -> T) -> Result<Broadcast<T>> {
        let make = |saved: Option<T>| self.broadcast(saved.unwrap_or_else(value));
        self.named_variables().get_or_make(name, save_broadcast::<T>, make)
    }

    /// Makes a broadcast of a new value that the name stands for from now on; handles of the old one keep the old value.
    ///
    /// # Errors
    /// If the name belongs to a variable of another type.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let before = context.broadcast_named("limit", || 1)?;
    /// context.rebroadcast_named("limit", 2)?;
    /// assert_eq!((*before, *context.broadcast_named("limit", || 0)?), (1, 2));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn rebroadcast_named<T: Data>(&self, name: &str, value: T) -> Result<Broadcast<T>> {
        let broadcast = self.broadcast(value);
        self.named_variables().replace::<_, T>(name, save_broadcast::<T>, broadcast.clone())?;
        Ok(broadcast)
    }

    /// Returns the accumulator of a name, of a type of one's own; the first time it is made of `zero`.
    ///
    /// Like [`broadcast_named`](Context::broadcast_named) it is held by the context, saved and recovered.
    ///
    /// # Errors
    /// If the name belongs to a variable of another type, here or in what was saved.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// for n in [3, 4] {
    ///     context.register_named("seen", Vec::new)?.add(n);
    /// }
    /// assert_eq!(context.register_named("seen", Vec::<i32>::new)?.value(), [3, 4]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn register_named<A: Accumulator>(
        &self,
        name: &str,
        zero: impl FnOnce() -> A,
    ) -> Result<Registered<A>> {
        let make = |saved: Option<A>| self.register(saved.unwrap_or_else(zero), name);
        self.named_variables().get_or_make(name, save_accumulator::<A>, make)
    }

    /// Returns the accumulator of whole numbers of a name, made if it is new; see [`register_named`](Context::register_named).
    ///
    /// # Errors
    /// If the name belongs to a variable of another type, here or in what was saved.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// context.long_accumulator_named("dropped")?.add(2);
    /// assert_eq!(context.long_accumulator_named("dropped")?.value(), 2);
    /// assert!(context.double_accumulator_named("dropped").is_err());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn long_accumulator_named(&self, name: &str) -> Result<LongAccumulator> {
        self.register_named(name, LongSum::default)
    }

    /// Returns the accumulator of numbers with fractions of a name, made if it is new; see
    /// [`register_named`](Context::register_named).
    ///
    /// # Errors
    /// If the name belongs to a variable of another type, here or in what was saved.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// context.double_accumulator_named("weight")?.add(0.5);
    /// assert_eq!(context.double_accumulator_named("weight")?.value(), 0.5);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn double_accumulator_named(&self, name: &str) -> Result<DoubleAccumulator> {
        self.register_named(name, DoubleSum::default)
    }

    /// Returns the accumulator of all values of a name, made if it is new; see [`register_named`](Context::register_named).
    ///
    /// # Errors
    /// If the name belongs to a variable of another type, here or in what was saved.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// context.collection_accumulator_named("bad lines")?.add("x".to_owned());
    /// assert_eq!(context.collection_accumulator_named::<String>("bad lines")?.value(), ["x"]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn collection_accumulator_named<T: Data + std::fmt::Debug>(
        &self,
        name: &str,
    ) -> Result<CollectionAccumulator<T>> {
        self.register_named(name, Vec::new)
    }

    /// Returns the values of all named variables as they are now, in the order of their names; also of those that an earlier
    /// run has left and nobody has asked for.
    ///
    /// # Errors
    /// If a value can not be written, or was destroyed.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::{Conf, Context};
    ///
    /// let first = Context::new(Conf::empty())?;
    /// first.long_accumulator_named("dropped")?.add(2);
    /// first.broadcast_named("limit", || 7)?;
    ///
    /// let second = Context::new(Conf::empty())?;
    /// second.restore_variables(first.saved_variables()?);
    /// let dropped = second.long_accumulator_named("dropped")?;
    /// dropped.add(1);
    /// assert_eq!((dropped.value(), *second.broadcast_named("limit", || 0)?), (3, 7));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn saved_variables(&self) -> Result<Vec<SavedVariable>> {
        let each = self.each_saved_variable().into_iter();
        let mut saved: Vec<_> = each.map(|saved| saved.map_err(|(_, error)| error)).collect::<Result<_>>()?;
        saved.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(saved)
    }

    /// Returns the values of all named variables, or the names of those that can not be written, and why.
    #[doc(hidden)]
    #[must_use]
    pub fn each_saved_variable(&self) -> Vec<Result<SavedVariable, (String, Error)>> {
        let (here, left) = {
            let names = self.named_variables().lock();
            (names.here.clone(), names.left.clone())
        };
        let saved = here.into_iter().map(|(name, held)| {
            // Written by the user's code.
            let save = || (held.save)(&*held.handle);
            match panics::noted(|| catch_unwind(AssertUnwindSafe(save))) {
                Ok(Ok(bytes)) => Ok(SavedVariable { name, type_name: held.type_name.to_owned(), bytes }),
                Ok(Err(error)) => Err((name, error)),
                Err(panic) => Err((name, Error::user(panic))),
            }
        });
        saved.chain(left.into_values().map(Ok)).collect()
    }

    /// Gives the named variables that are made from now on the values that were saved.
    ///
    /// A variable that was made before keeps its value: call it before the program asks for its variables.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::{Conf, Context};
    ///
    /// let (first, second) = (Context::new(Conf::empty())?, Context::new(Conf::empty())?);
    /// first.long_accumulator_named("dropped")?.add(2);
    /// second.restore_variables(first.saved_variables()?);
    /// assert_eq!(second.long_accumulator_named("dropped")?.value(), 2);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn restore_variables(&self, saved: Vec<SavedVariable>) {
        let mut names = self.named_variables().lock();
        for variable in saved {
            if !names.here.contains_key(&variable.name) {
                names.left.insert(variable.name.clone(), variable);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use crate::accumulator::Accumulator;
    use crate::{Conf, Context};

    /// The largest number.
    #[derive(Debug, Clone, Serialize, Deserialize)]
    struct Max(u64);

    impl Accumulator for Max {
        type Input = u64;
        type Output = u64;
        fn is_zero(&self) -> bool {
            self.0 == 0
        }
        fn reset(&mut self) {
            self.0 = 0;
        }
        fn add(&mut self, value: u64) {
            self.0 = self.0.max(value);
        }
        fn merge(&mut self, other: Self) {
            self.add(other.0);
        }
        fn value(&self) -> u64 {
            self.0
        }
    }

    #[test]
    fn names_are_found_whoever_asks_first_and_hold_what_they_name() {
        let context = Context::new(Conf::empty()).unwrap();
        let ids: Vec<u64> = std::thread::scope(|scope| {
            let ask = || context.long_accumulator_named("n").map(|n| (n.add(1), n.id()).1).unwrap();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        assert_eq!(context.long_accumulator_named("n").unwrap().value(), 8);
    }

    #[test]
    fn a_name_has_one_type_here_and_in_what_was_saved() {
        let context = Context::new(Conf::empty()).unwrap();
        context.broadcast_named("x", || 1_u8).unwrap();
        let error = context.broadcast_named("x", || 1_u16).unwrap_err().to_string();
        assert!(error.contains("variable `x`") && error.contains("u8"), "{error}");
        assert!(context.rebroadcast_named("x", 1_u16).is_err());
        assert!(context.long_accumulator_named("x").is_err());

        let next = Context::new(Conf::empty()).unwrap();
        next.restore_variables(context.saved_variables().unwrap());
        let error = next.broadcast_named("x", || 1_u16).unwrap_err().to_string();
        assert!(error.contains("is a `u8`, the program asks for a `u16`"), "{error}");
        assert_eq!(*next.broadcast_named("x", || 9_u8).unwrap(), 1);
    }

    #[test]
    fn accumulators_of_every_kind_are_one_by_their_name_and_go_on_from_what_was_saved() {
        let first = Context::new(Conf::empty()).unwrap();
        let largest = |context: &Context| context.register_named("largest", || Max(0)).unwrap();
        let add = |context: &Context, weight: f64, line: &str, number: u64| {
            context.double_accumulator_named("weight").unwrap().add(weight);
            context.collection_accumulator_named("bad lines").unwrap().add(line.to_owned());
            largest(context).add(number);
        };
        add(&first, 0.5, "x", 7);
        add(&first, 0.25, "y", 3);
        let second = Context::new(Conf::empty()).unwrap();
        second.restore_variables(first.saved_variables().unwrap());
        add(&second, 1.0, "z", 5);
        let values = |context: &Context| {
            let weight = context.double_accumulator_named("weight").unwrap();
            let lines = context.collection_accumulator_named::<String>("bad lines").unwrap();
            ((weight.value(), weight.count()), lines.value().concat(), largest(context).value())
        };
        assert_eq!(values(&first), ((0.75, 2), "xy".to_owned(), 7));
        assert_eq!(values(&second), ((1.75, 3), "xyz".to_owned(), 7));
        // A name is of one kind.
        assert!(first.long_accumulator_named("weight").is_err());
        assert!(first.collection_accumulator_named::<u64>("bad lines").is_err());
        assert!(first.double_accumulator_named("largest").is_err());
        assert!(second.register_named("weight", || Max(0)).is_err());
    }

    #[test]
    fn what_nobody_asked_for_is_saved_again() {
        let first = Context::new(Conf::empty()).unwrap();
        first.broadcast_named("b", || "kept".to_owned()).unwrap();
        let saved = first.saved_variables().unwrap();
        let second = Context::new(Conf::empty()).unwrap();
        second.restore_variables(saved.clone());
        second.long_accumulator_named("a").unwrap().add(1);
        let again = second.saved_variables().unwrap();
        assert_eq!(again.iter().map(|saved| &*saved.name).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(again[1], saved[0]);
    }
}
