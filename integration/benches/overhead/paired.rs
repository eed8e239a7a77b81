//! Measures several lines alternately, so that the rest of the machine's load falls on all of them alike.
//!
//! The usual harnesses measure one function after another. Here a line differs from the plain one by a nanosecond, and the machine
//! itself differs by more two seconds later. So each round takes a short sample of every line, and a ratio compares two samples of
//! the same round.

use std::time::{Duration, Instant};

/// Samples of each line.
const ROUNDS: usize = 201;

/// The approximate length of a sample.
const SAMPLE: Duration = Duration::from_micros(500);

/// One line, in nanoseconds for one iteration.
#[derive(Clone, Copy, Debug)]
pub struct Sampled {
    pub median: f64,
    /// First and third quartile.
    pub spread: (f64, f64),
    /// The median over all rounds of the ratio to the first line of the same round.
    pub ratio: f64,
    /// The median over all rounds of the difference to the first line of the same round.
    pub over: f64,
}

/// Measures `lines` lines, each compared to the first. `run` takes the number of a line and how many iterations to run.
pub fn paired(lines: usize, mut run: impl FnMut(usize, u64)) -> Vec<Sampled> {
    rounds(lines, ROUNDS, SAMPLE, &mut run)
}

/// [`paired`] with another number of rounds and another length of a sample.
pub fn rounds(
    lines: usize,
    rounds: usize,
    sample: Duration,
    run: &mut dyn FnMut(usize, u64),
) -> Vec<Sampled> {
    let mut time = |line, iterations| {
        let start = Instant::now();
        run(line, iterations);
        start.elapsed()
    };
    let iterations: Vec<u64> = (0..lines)
        .map(|line| {
            let mut iterations = 1;
            // Also warms up.
            while time(line, iterations) < sample && iterations < 1 << 30 {
                iterations *= 2;
            }
            iterations
        })
        .collect();
    let mut samples = vec![Vec::with_capacity(rounds); lines];
    for _ in 0..rounds {
        for (line, samples) in samples.iter_mut().enumerate() {
            let taken = time(line, iterations[line]);
            samples.push(taken.as_nanos() as f64 / iterations[line] as f64);
        }
    }
    let plain = samples[0].clone();
    samples
        .into_iter()
        .map(|samples| {
            let against = |of: fn(f64, f64) -> f64| {
                let mut each: Vec<f64> = samples
                    .iter()
                    .zip(&plain)
                    .map(|(a, b)| of(*a, *b))
                    .collect();
                quantile(&mut each, 0.5)
            };
            let ratio = against(|own, plain| own / plain);
            let over = against(|own, plain| own - plain);
            let mut sorted = samples.clone();
            Sampled {
                median: quantile(&mut sorted, 0.5),
                spread: (quantile(&mut sorted, 0.25), quantile(&mut sorted, 0.75)),
                ratio,
                over,
            }
        })
        .collect()
}

pub fn quantile(values: &mut [f64], at: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * at).round() as usize]
}
