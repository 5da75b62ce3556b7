//! Named broadcasts and accumulators, saved as they were when a batch was completed: a batch that runs again counts once.

use std::sync::Arc;

use millstream_core::fs::{FileSystem, FsPath};
use millstream_core::{Context, Error as CoreError, SavedVariable};

use super::checkpoint::data_file;
use super::checkpoint::manifest::SavedFile;
use super::checkpoint::store::STATE;
use crate::error::Result;
use crate::time::Time;

/// The values after the last batch that was completed, and the file that holds them.
#[derive(Default)]
pub(crate) struct Variables {
    written: Option<(Vec<SavedVariable>, SavedFile)>,
}

impl Variables {
    /// Begins with the file that a manifest names.
    pub(crate) fn new(content: Option<(Vec<SavedVariable>, SavedFile)>) -> Self {
        Variables { written: content }
    }

    /// Writes the values after a batch, unless they are those that were written last.
    ///
    /// # Errors
    /// If they can not be written.
    pub(crate) fn save(
        &mut self,
        system: &Arc<dyn FileSystem>,
        directory: &FsPath,
        generation: u64,
        batch: Time,
        values: Vec<SavedVariable>,
    ) -> Result<()> {
        let same = self.written.as_ref().is_some_and(|(written, _)| *written == values);
        if same || (values.is_empty() && self.written.is_none()) {
            return Ok(());
        }
        let content = postcard::to_stdvec(&values).map_err(|error| broken("writing", &error))?;
        let name = format!("{STATE}/{generation}/variables-{}", batch.as_millis());
        let file = data_file::write(&**system, directory, &name, &content)?;
        self.written = Some((values, file));
        Ok(())
    }

    /// Returns the file that holds the values.
    pub(crate) fn file(&self) -> Option<SavedFile> {
        self.written.as_ref().map(|(_, file)| file.clone())
    }
}

/// Reads the values that a manifest names.
///
/// # Errors
/// If the file is missing or not as it was written.
pub(crate) fn read(
    system: &dyn FileSystem,
    directory: &FsPath,
    file: &SavedFile,
) -> Result<Vec<SavedVariable>> {
    let content = data_file::read(system, directory, file)?;
    Ok(postcard::from_bytes(&content).map_err(|error| broken("reading", &error))?)
}

/// Returns the values of a context's named variables; those that can not be saved are told and left out.
pub(crate) fn of(context: &Context) -> Vec<SavedVariable> {
    let mut saved = Vec::new();
    for variable in context.each_saved_variable() {
        match variable {
            Ok(variable) => saved.push(variable),
            Err((name, error)) => tracing::warn!("the named variable `{name}` is not saved: {error}"),
        }
    }
    saved.sort_by(|a, b| a.name.cmp(&b.name));
    saved
}

fn broken(doing: &str, error: &postcard::Error) -> CoreError {
    CoreError::Codec { what: format!("{doing} the named variables"), problem: error.to_string() }
}
