/// Memory of this process that is resident, in KiB; `None` where the system has no `/proc`.
///
/// Not from `/proc/self/statm`, which counts in pages and does not say how large one is.
pub fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let rest = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    rest.trim().strip_suffix("kB")?.trim_end().parse().ok()
}
