//! The store in memory of the `object_store` library.

use std::sync::Arc;

use millstream_connectors::object_store::ObjectStoreFs;
use millstream_core::fs::FsPath;
use millstream_testkit::file_system_suite;
use object_store::memory::InMemory;

#[test]
fn a_store_in_memory_keeps_to_the_contract() {
    let store = ObjectStoreFs::new(Arc::new(InMemory::new()));
    file_system_suite::check(&store, &FsPath::parse("memory://here/suite").unwrap());
}
