//! The store in memory of the `object_store` library.

use std::sync::{Arc, LazyLock};

use millstream_connectors::object_store::ObjectStoreFs;
use millstream_core::fs::{self, FsPath};
use millstream_core::{Conf, Context};
use millstream_testkit::file_system_suite;
use object_store::memory::InMemory;

use crate::streams_of_files;

#[test]
fn a_store_in_memory_keeps_to_the_contract() {
    let store = ObjectStoreFs::new(Arc::new(InMemory::new()));
    file_system_suite::check(&store, &FsPath::parse("memory://here/suite").unwrap());
}

#[test]
fn streams_save_into_a_store_in_memory_and_read_it() {
    static STORE: LazyLock<Arc<InMemory>> = LazyLock::new(Arc::default);
    fs::register("memory", |_, _| Ok(Arc::new(ObjectStoreFs::new(Arc::clone(&*STORE) as _))));
    let context = Context::new(Conf::empty().set_master("local[2]")).unwrap();
    streams_of_files::check(&context, "memory://here/streams");
}
