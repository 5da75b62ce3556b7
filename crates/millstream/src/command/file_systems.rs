//! The files that a command looks at, on this machine or elsewhere, with the settings that are needed there.

use std::path::Path;

use millstream::fs::FileSystems;
#[cfg(not(feature = "object-store"))]
use millstream::fs::FsPath;
use millstream::prelude::*;

/// Settings as programs are given them on their command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Settings {
    /// A setting, such as where a store of objects is; `millstream settings` lists them.
    #[arg(long, value_name = "KEY=VALUE")]
    conf: Vec<String>,
    /// A file of settings.
    #[arg(long, value_name = "FILE")]
    properties_file: Option<String>,
}

impl Settings {
    /// Returns the file systems that a program with these settings sees.
    ///
    /// # Errors
    /// If a setting can not be used, or one of the directories lies where this command can not look.
    pub(crate) fn file_systems(&self, directories: &[&Path]) -> Result<FileSystems> {
        can_look_at(directories)?;
        let conf = self.conf.iter().flat_map(|setting| ["--conf", setting]);
        let file = self.properties_file.iter().flat_map(|file| ["--properties-file", file]);
        let (conf, _) = Conf::from_args(conf.chain(file))?;
        Ok(Context::new(conf.set_if_missing("spark.master", "local[1]"))?.file_systems())
    }
}

#[cfg(feature = "object-store")]
fn can_look_at(_: &[&Path]) -> Result<()> {
    millstream::connectors::object_store::register();
    Ok(())
}

/// Who uses a command can not register what it was built without.
#[cfg(not(feature = "object-store"))]
fn can_look_at(directories: &[&Path]) -> Result<()> {
    for directory in directories {
        let path = FsPath::from_path(directory)?;
        if path.as_local().is_none() {
            return Err(millstream::core::Error::Argument {
                operator: format!("path `{path}`"),
                problem:
                    "it does not lie on this machine, and this command was built for this machine's files"
                        .into(),
                remedy: "build it with `cargo build --release -p millstream --features object-store`".into(),
            }
            .into());
        }
    }
    Ok(())
}
