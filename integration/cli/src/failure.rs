//! Why the command ends without having done its work.

use std::process::ExitCode;

/// A failure: sentences for whoever runs the command, and the exit status.
#[derive(Debug, PartialEq)]
pub struct Failure {
    status: u8,
    sentences: Vec<String>,
}

impl Failure {
    /// The command line is wrong. `sentence` names the input, what is wrong with it, and what is accepted.
    pub fn usage(sentence: impl Into<String>) -> Self {
        Self {
            status: 2,
            sentences: vec![sentence.into()],
        }
    }

    /// The command line is right, and the work can't be done.
    pub fn fault(sentence: impl Into<String>) -> Self {
        Self::faults(vec![sentence.into()])
    }

    /// As [`Failure::fault`], for several reasons at once.
    pub fn faults(sentences: Vec<String>) -> Self {
        Self {
            status: 1,
            sentences,
        }
    }

    /// Prints each sentence as a line on stderr.
    pub fn print(&self) {
        for sentence in &self.sentences {
            eprintln!("handleguard: {sentence}");
        }
    }

    /// The exit status of the command.
    pub fn status(&self) -> ExitCode {
        ExitCode::from(self.status)
    }
}
