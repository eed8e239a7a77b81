/// Resident memory of this process in KiB; `None` if the system has no `/proc`.
///
/// Does not read `/proc/self/statm`, which counts pages and does not give their size.
pub fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let rest = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    rest.trim().strip_suffix("kB")?.trim_end().parse().ok()
}
