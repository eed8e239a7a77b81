use crate::phase::Phase;
use crate::tally::Tally;
use handleguard_v8::handleguard;
use std::fmt;

/// The result of one phase.
pub struct Outcome {
    pub phase: Phase,
    /// By how many handles the scope of `main` grew.
    pub handles: i64,
    pub tally: Tally,
    pub violations: u64,
    pub sites: usize,
}

impl Outcome {
    /// Handles left by each closed connection; `None` if none was closed.
    pub fn handles_each(&self) -> Option<f64> {
        let closed = self.tally.closed;
        // Both are far below 2^52, up to which an `f64` is exact.
        (closed > 0).then(|| self.handles as f64 / closed as f64)
    }
}

/// Prints one line for each phase, for comparison.
pub struct Verdict<'a>(pub &'a [Outcome]);

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "verdict:")?;
        for outcome in self.0 {
            let tally = &outcome.tally;
            write!(
                f,
                "{:>7}: {:>8} connections closed, {:>8} handles left: ",
                outcome.phase, tally.closed, outcome.handles
            )?;
            match outcome.handles_each() {
                Some(1.0) => f.write_str("1 handle")?,
                Some(each) if each.fract() == 0.0 => write!(f, "{each} handles")?,
                Some(each) => write!(f, "{each:.3} handles")?,
                None => f.write_str("- handles")?,
            }
            f.write_str(" a closed connection; ")?;
            if handleguard::COMPILED_IN {
                let Outcome {
                    violations, sites, ..
                } = outcome;
                let plural = if *sites == 1 { "" } else { "s" };
                writeln!(f, "{violations} violations at {sites} site{plural}")?;
            } else {
                f.write_str("violations unknown: the checks are compiled out\n")?;
            }
            if let Some(first) = &tally.first_error {
                let errors = tally.errors;
                writeln!(f, "{:>7}  {errors} errors, the first: {first}", "")?;
            }
        }
        Ok(())
    }
}
