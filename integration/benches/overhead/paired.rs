//! Lines measured in turns, so that what else the machine does falls on all of them alike.
//!
//! The usual harnesses measure one function after another. Here a line differs from the plain one by a nanosecond, and two
//! seconds later the machine differs by more; so each round takes a short sample of every line, and a ratio is between two
//! samples of one round.

use std::time::{Duration, Instant};

/// Samples of each line.
const ROUNDS: usize = 201;

/// About how long a sample takes.
const SAMPLE: Duration = Duration::from_micros(500);

/// One line, in nanoseconds for one iteration.
#[derive(Clone, Copy, Debug)]
pub struct Sampled {
    pub median: f64,
    /// First and third quartile.
    pub spread: (f64, f64),
    /// Medians of what a round had, against the first line of that round.
    pub ratio: f64,
    pub over: f64,
}

/// Measures `lines` lines; `run` does so many iterations of one. The first is what the others are compared to.
pub fn paired(lines: usize, mut run: impl FnMut(usize, u64)) -> Vec<Sampled> {
    rounds(lines, ROUNDS, SAMPLE, &mut run)
}

/// As [`paired`], with the rounds and the length of a sample given.
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
