//! `read_files`: the records of files in any format. All that reads files stands on it.

use std::panic::Location;
use std::path::Path;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::fs::{Cut, FileSplit, FileStatus, FileSystems, InputFormat};
use crate::function::{self, CodeAddress};
use crate::operator::Operator;
use crate::rdd::{AnyRdd, Compute, Dependency, Rdd, Rebuild, Rebuilding, Recipe};
use crate::stream::{self, ChunkStream};
use crate::task::TaskContext;

impl Context {
    /// Makes an RDD of the records of files in a format of one's own, in about `min_partitions` partitions.
    ///
    /// `paths` is a comma-separated list of files, directories and patterns; see
    /// [`FileSystems::input_files`]. The list of files is taken now, their content when an action asks for it. A file
    /// that has grown by then is read as far as it went; one that has shrunk or was replaced is an error of the action.
    /// A file is cut at `min_partitions` parts of the whole, and at blocks of 32 MiB.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::fs::TextFormat;
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let path = std::env::temp_dir().join(format!("read_files-{}", std::process::id()));
    /// std::fs::write(&path, "to be\nor not\n").unwrap();
    /// assert_eq!(context.read_files(&path, TextFormat::default(), 2).collect()?, ["to be", "or not"]);
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[doc(alias("hadoopFile", "newAPIHadoopFile"))]
    #[track_caller]
    pub fn read_files<F: InputFormat>(
        &self,
        paths: impl AsRef<Path>,
        format: F,
        min_partitions: usize,
    ) -> Rdd<F::Record> {
        let files = self.file_systems().input_files(paths);
        self.files_rdd("read_files", Location::caller(), files, format, min_partitions)
    }

    /// Makes an RDD of the records of these files, as they were when their status was taken.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::fs::{FsPath, TextFormat};
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let path = std::env::temp_dir().join(format!("read_files_of-{}", std::process::id()));
    /// std::fs::write(&path, "to be\n").unwrap();
    /// let path = FsPath::from_path(&path)?;
    /// let file = context.file_systems().of(&path)?.status(&path)?;
    /// assert_eq!(context.read_files_of(vec![file], TextFormat::default(), 1).collect()?, ["to be"]);
    /// # context.file_systems().of(&path)?.delete(&path)?;
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[doc(alias("hadoopRDD", "newAPIHadoopRDD"))]
    #[track_caller]
    pub fn read_files_of<F: InputFormat>(
        &self,
        files: Vec<FileStatus>,
        format: F,
        min_partitions: usize,
    ) -> Rdd<F::Record> {
        self.files_rdd("read_files_of", Location::caller(), Ok(files), format, min_partitions)
    }

    /// Makes the RDD of an operator that reads files.
    pub(crate) fn files_rdd<F: InputFormat>(
        &self,
        name: &'static str,
        place: &'static Location<'static>,
        files: Result<Vec<FileStatus>>,
        format: F,
        min_partitions: usize,
    ) -> Rdd<F::Record> {
        let systems = self.file_systems();
        let checked = format.check(&Operator::call(name, place).to_string());
        let compute = checked.and(files);
        let compute = compute.and_then(|files| partitions(&systems, &files, &format, min_partitions.max(1)));
        let compute = compute.map(|partitions| {
            let partitions = partitions.into_iter().map(Some).collect();
            Box::new(Files { systems, format, partitions }) as Box<dyn Compute<F::Record>>
        });
        Rdd::checked(self, name, place, compute, 0)
    }

    /// Returns the number of partitions of files that Spark asks for unless it is told.
    pub(crate) fn default_min_partitions(&self) -> usize {
        self.default_parallelism().min(2)
    }
}

/// A rest of a file that is so much longer than the other parts is no part of its own.
const SLOP: f64 = 1.1;

/// Cuts files as Hadoop does.
fn partitions<F: InputFormat>(
    systems: &FileSystems,
    files: &[FileStatus],
    format: &F,
    min_partitions: usize,
) -> Result<Vec<Vec<FileSplit>>> {
    let total: u64 = files.iter().map(|file| file.len).sum();
    let goal = total / min_partitions as u64;
    let most_packed = total.div_ceil(min_partitions as u64);
    let mut partitions: Vec<Vec<FileSplit>> = Vec::new();
    // The bytes of the last partition, if files are being packed into it.
    let mut packed: Option<u64> = None;
    for file in files {
        let part = |start, end| FileSplit { file: file.clone(), start, end };
        let size = match format.cut(file)? {
            Cut::Anywhere => goal.min(systems.of(&file.path)?.block_size()).max(1),
            Cut::Records(len) => {
                whole_records(file, len)?;
                goal.min(systems.of(&file.path)?.block_size()).max(len) / len * len
            }
            Cut::Whole => file.len,
            Cut::Packed => {
                let room = packed.filter(|bytes| bytes + file.len <= most_packed);
                match (room, partitions.last_mut()) {
                    (Some(bytes), Some(last)) => {
                        last.push(part(0, file.len));
                        packed = Some(bytes + file.len);
                    }
                    _ => {
                        partitions.push(vec![part(0, file.len)]);
                        packed = Some(file.len);
                    }
                }
                continue;
            }
        };
        packed = None;
        let mut start = 0;
        while (file.len - start) as f64 / size.max(1) as f64 > SLOP {
            partitions.push(vec![part(start, start + size)]);
            start += size;
        }
        if start < file.len || file.len == 0 {
            partitions.push(vec![part(start, file.len)]);
        }
    }
    Ok(partitions)
}

fn whole_records(file: &FileStatus, len: u64) -> Result<()> {
    let problem = match len {
        // Of a format that does not check itself.
        0 => "a record can not have 0 bytes".to_owned(),
        len if !file.len.is_multiple_of(len) => {
            format!(
                "its {} bytes are no whole number of records of {len} bytes: {} are left over",
                file.len,
                file.len % len
            )
        }
        _ => return Ok(()),
    };
    let remedy = "give the length the records have".to_owned();
    Err(Error::Argument { operator: format!("reading {}", file.path), problem, remedy })
}

struct Files<F> {
    systems: FileSystems,
    format: F,
    /// In another process a task is given its own partitions only.
    partitions: Vec<Option<Vec<FileSplit>>>,
}

impl<F> Files<F> {
    fn partition(&self, partition: usize) -> Result<&Vec<FileSplit>> {
        let there = self.partitions.get(partition).and_then(Option::as_ref);
        there.ok_or_else(|| Error::poisoned(format!("an RDD of files has no partition {partition} here")))
    }
}

impl<F: InputFormat> Compute<F::Record> for Files<F> {
    fn partitions(&self) -> usize {
        self.partitions.len()
    }

    fn dependencies(&self) -> Vec<Dependency> {
        Vec::new()
    }

    fn compute(&self, partition: usize, _: &TaskContext) -> Result<ChunkStream<F::Record>> {
        let splits = self.partition(partition)?;
        if let [split] = splits.as_slice() {
            return self.format.read(&self.systems, split);
        }
        let (format, systems) = (self.format.clone(), self.systems.clone());
        let mut splits = splits.clone().into_iter();
        let mut open: Option<ChunkStream<F::Record>> = None;
        Ok(stream::from_fn(move || {
            loop {
                if let Some(chunk) = open.as_mut().map(|stream| stream.next_chunk()).transpose()?.flatten() {
                    return Ok(Some(chunk));
                }
                let Some(split) = splits.next() else { return Ok(None) };
                open = Some(format.read(&systems, &split)?);
            }
        }))
    }

    fn recipe(&self) -> Option<Recipe> {
        fn rebuild<F: InputFormat>(from: &Rebuilding<'_>) -> Result<AnyRdd> {
            let mut partitions = vec![None; from.partitions];
            for (partition, bytes) in from.splits {
                if let Some(there) = partitions.get_mut(*partition) {
                    *there = Some(function::decode("parts of files", bytes)?);
                }
            }
            let format: F = function::decode("format of files", from.env)?;
            let files = Files { systems: from.context.file_systems(), format, partitions };
            Ok(Rdd::from_compute(from.context, "read_files", files).any())
        }
        let rebuild: Rebuild = rebuild::<F>;
        let env = function::encode("format of files", &self.format);
        Some(Recipe { build: CodeAddress::of::<F>(rebuild as usize), env })
    }

    fn split(&self, partition: usize) -> Result<Vec<u8>> {
        function::encode("parts of files", self.partition(partition)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{FsPath, TextFormat};
    use std::time::SystemTime;

    fn cuts(lens: &[u64], min_partitions: usize) -> Vec<u64> {
        let file = |(n, len): (usize, &u64)| FileStatus {
            path: FsPath::parse(&format!("/file-{n}")).unwrap(),
            len: *len,
            modified: SystemTime::UNIX_EPOCH,
            is_dir: false,
            version: None,
        };
        let files: Vec<_> = lens.iter().enumerate().map(file).collect();
        let systems = FileSystems::new(crate::Conf::empty());
        let partitions = partitions(&systems, &files, &TextFormat::default(), min_partitions).unwrap();
        partitions.concat().iter().map(|split| split.end - split.start).collect()
    }

    #[test]
    fn files_are_cut_where_hadoop_cuts_them() {
        assert_eq!(cuts(&[100], 3), [33, 33, 34]);
        assert_eq!(cuts(&[100], 1), [100]);
        assert_eq!(cuts(&[10, 90], 2), [10, 50, 40]);
        assert_eq!(cuts(&[0, 7], 2), [0, 3, 3, 1]);
        assert_eq!(cuts(&[], 2), [0_u64; 0]);
        assert_eq!(cuts(&[2], 5), [1, 1]);
        assert_eq!(cuts(&[(32 << 20) + (3 << 20)], 1), [35 << 20]);
        assert_eq!(cuts(&[(64 << 20) + 1], 1), [32 << 20, (32 << 20) + 1]);
    }
}
