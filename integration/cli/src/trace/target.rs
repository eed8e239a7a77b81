//! The process that is traced, and its files.

use crate::args::ProcessId;
use crate::failure::Failure;
use crate::trace::maps::{self, Mapping};
use handleguard::foreign_text;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// How much of a memory map is read. The kernel allows 65,530 mappings, which take a tenth of that with paths of usual length.
const MAX_MAPS: u64 = 64 << 20;

/// A process, held by descriptor: another one that gets its id later is not taken for it.
pub struct Process {
    id: u32,
    descriptor: OwnedFd,
}

impl Process {
    /// Opens the process with this id.
    ///
    /// # Errors
    ///
    /// Names the id, and says why it is not that of a process.
    pub fn open(ProcessId(id): &ProcessId) -> Result<Self, Failure> {
        let none = || {
            Failure::fault(format!(
                "{}: there is no such process in this PID namespace; accepted: the id of a running program on V8",
                foreign_text(id)
            ))
        };
        let number: i32 = id.parse().map_err(|_| none())?;
        let pid = Pid::from_raw(number).ok_or_else(none)?;
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(descriptor) => Ok(Self {
                id: number.unsigned_abs(),
                descriptor,
            }),
            Err(Errno::SRCH) => Err(none()),
            Err(Errno::NOSYS) => Err(Failure::fault(
                "this kernel is too old; accepted: Linux 5.3 or later",
            )),
            Err(error) => Err(match process_of_thread(number) {
                Some(process) => Failure::fault(format!(
                    "{number}: a thread of process {process}; accepted: the id of a process"
                )),
                None => Failure::fault(format!("{number}: cannot be opened: {error}")),
            }),
        }
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Readable once the process has ended.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        let mut descriptors = [PollFd::new(&self.descriptor, PollFlags::IN)];
        let at_once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        poll(&mut descriptors, Some(&at_once)).is_ok_and(|ready| ready > 0)
    }

    /// The failure of a process that ended too early.
    pub fn ended(&self) -> Failure {
        Failure::fault(format!("{}: ended before it was traced", self.id))
    }

    /// `failure`, unless the process has ended, which then explains it.
    pub fn unless_ended(&self, failure: Failure) -> Failure {
        if self.has_ended() {
            self.ended()
        } else {
            failure
        }
    }
}

/// The process of the thread with this id, if there is one.
fn process_of_thread(id: i32) -> Option<u32> {
    let status = fs::read(format!("/proc/{id}/status")).ok()?;
    let status = String::from_utf8_lossy(&status);
    // The name of the thread is on the first line, where a newline is escaped.
    status
        .lines()
        .find_map(|line| line.strip_prefix("Tgid:"))?
        .trim()
        .parse()
        .ok()
}

/// The files of a process.
pub struct Target<'process> {
    /// The process.
    pub process: &'process Process,
    /// Its binary, even if that was removed or replaced.
    pub binary: File,
    /// Its memory map.
    pub mappings: Vec<Mapping>,
    path: PathBuf,
}

impl<'process> Target<'process> {
    /// Opens the binary of a process and reads its memory map.
    ///
    /// # Errors
    ///
    /// Says what can't be opened, and why.
    pub fn open(process: &'process Process) -> Result<Self, Failure> {
        let id = process.id();
        let link = format!("/proc/{id}/exe");
        let no_binary = |error: io::Error| {
            process.unless_ended(Failure::fault(if error.kind() == io::ErrorKind::NotFound {
                format!("{id}: has no binary: it is a thread of the kernel")
            } else {
                format!("{id}: its binary cannot be read ({error}); run this as root in the PID namespace of the host")
            }))
        };
        let path = fs::read_link(&link).map_err(no_binary)?;
        let binary = open_regular(Path::new(&link)).map_err(no_binary)?;
        let mut text = Vec::new();
        File::open(format!("/proc/{id}/maps"))
            .and_then(|maps| maps.take(MAX_MAPS).read_to_end(&mut text))
            .map_err(|error| {
                process.unless_ended(Failure::fault(format!(
                    "{id}: its memory map cannot be read: {error}"
                )))
            })?;
        // Everything was opened by the id, so only a process that is still there owns it.
        if process.has_ended() {
            return Err(process.ended());
        }
        Ok(Self {
            process,
            binary,
            mappings: maps::parse(&text),
            path: without_mark(path),
        })
    }

    /// The path of the binary, for a line of text.
    pub fn name(&self) -> String {
        foreign_text(&self.path.to_string_lossy())
    }

    /// The first and last address of the code of the binary.
    pub fn code(&self) -> (u64, u64) {
        let mut own = self
            .mappings
            .iter()
            .filter(|mapping| mapping.executable && mapping.path.as_ref() == Some(&self.path));
        let Some(first) = own.next() else {
            return (0, 0);
        };
        let last = own.next_back().unwrap_or(first);
        (first.addresses.start, last.addresses.end)
    }

    /// Opens the file of a mapping: the one that is mapped, whatever its path leads to now or in this mount namespace.
    ///
    /// # Errors
    ///
    /// Returns that of opening, or that it is no regular file.
    pub fn open_mapped(&self, mapping: &Mapping) -> io::Result<File> {
        let link = format!(
            "/proc/{}/map_files/{}",
            self.process.id(),
            mapping.map_file()
        );
        open_regular(Path::new(&link))
    }
}

/// Opens what a link under `/proc` leads to, if it is a regular file. Nothing else is opened, since opening a device or a pipe
/// may have an effect.
fn open_regular(link: &Path) -> io::Result<File> {
    let flags = |flags: OFlags| i32::try_from(flags.bits()).unwrap_or_default();
    let handle = OpenOptions::new()
        .read(true)
        .custom_flags(flags(OFlags::PATH))
        .open(link)?;
    if !handle.metadata()?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        ));
    }
    OpenOptions::new()
        .read(true)
        .custom_flags(flags(OFlags::NONBLOCK | OFlags::NOCTTY))
        .open(format!("/proc/self/fd/{}", handle.as_raw_fd()))
}

/// Without the mark that the kernel puts behind the path of a file that was removed.
fn without_mark(path: PathBuf) -> PathBuf {
    match path.as_os_str().as_bytes().strip_suffix(b" (deleted)") {
        Some(bytes) => PathBuf::from(std::ffi::OsStr::from_bytes(bytes)),
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn process(id: u32) -> Process {
        Process::open(&ProcessId(id.to_string())).expect("a process")
    }

    #[test]
    fn a_process_has_a_binary_and_code() {
        let own = process(std::process::id());
        let target = Target::open(&own).expect("this process");
        let (start, end) = target.code();
        let here = a_process_has_a_binary_and_code as fn() as usize as u64;
        assert!((start..end).contains(&here), "{here:#x}");
        assert!(target.name().starts_with('/'));
        let mapping = target
            .mappings
            .iter()
            .find(|mapping| mapping.addresses.contains(&here));
        // Without the privilege, the kernel refuses to open what is mapped.
        if let Ok(mapped) = target.open_mapped(mapping.expect("a mapping")) {
            assert_eq!(
                mapped.metadata().expect("of the file").len(),
                target.binary.metadata().expect("of the binary").len()
            );
        }
    }

    #[test]
    fn an_id_of_no_process_is_refused() {
        for id in ["4194999", "2147483647", "99999999999999999999"] {
            let failure = Process::open(&ProcessId(id.to_owned()))
                .err()
                .expect("no process");
            let sentence = format!(
                "{id}: there is no such process in this PID namespace; accepted: the id of a running program on V8"
            );
            assert_eq!(failure, Failure::fault(sentence));
        }
    }

    #[test]
    fn a_thread_is_refused_with_its_process() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let failure = std::thread::spawn(move || {
            sender
                .send(rustix::thread::gettid().as_raw_nonzero())
                .expect("a receiver");
            Process::open(&ProcessId(
                rustix::thread::gettid().as_raw_nonzero().to_string(),
            ))
            .err()
        })
        .join()
        .expect("no panic");
        let thread = receiver.recv().expect("its id");
        let sentence = format!(
            "{thread}: a thread of process {}; accepted: the id of a process",
            std::process::id()
        );
        assert_eq!(failure, Some(Failure::fault(sentence)));
    }

    #[test]
    fn a_process_that_ends_is_noticed() {
        let mut child = Command::new("sleep").arg("600").spawn().expect("sleep");
        let process = process(child.id());
        assert!(!process.has_ended());
        child.kill().expect("its own child");
        child.wait().expect("its own child");
        assert!(process.has_ended());
        let failure = Target::open(&process).err().expect("it has ended");
        assert_eq!(failure, process.ended());
    }

    #[test]
    fn what_is_no_regular_file_is_not_opened() {
        for path in ["/dev/null", "/proc/self/cwd"] {
            let error = open_regular(Path::new(path)).expect_err("no regular file");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{path}");
        }
    }
}
