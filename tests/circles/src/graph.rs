use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Which file imports which.
#[derive(Default, Debug)]
pub struct Graph(BTreeMap<String, BTreeSet<String>>);

impl Graph {
    pub fn add_file(&mut self, file: &str) {
        self.0.entry(file.to_owned()).or_default();
    }

    pub fn add_import(&mut self, from: &str, to: &str) {
        if from != to {
            self.add_file(to);
            self.0
                .entry(from.to_owned())
                .or_default()
                .insert(to.to_owned());
        }
    }

    pub fn has(&self, file: &str) -> bool {
        self.0.contains_key(file)
    }

    pub fn files(&self) -> usize {
        self.0.len()
    }

    pub fn imports(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }

    /// A shortest circle through each file that is on one; each circle once.
    pub fn circles(&self) -> Vec<String> {
        let circles: BTreeSet<Vec<&str>> = self
            .0
            .keys()
            .filter_map(|file| self.shortest_circle(file))
            .map(|mut circle| {
                let first = (0..circle.len()).min_by_key(|&at| circle[at]);
                circle.rotate_left(first.unwrap_or(0));
                circle
            })
            .collect();
        circles
            .into_iter()
            .map(|circle| format!("{} -> {}", circle.join(" -> "), circle[0]))
            .collect()
    }

    /// Breadth first from `start` until a file imports `start` again.
    fn shortest_circle<'a>(&'a self, start: &'a str) -> Option<Vec<&'a str>> {
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut waiting = VecDeque::from([start]);
        while let Some(file) = waiting.pop_front() {
            for next in &self.0[file] {
                if next == start {
                    let mut circle = vec![file];
                    while let Some(before) = came_from.get(circle[circle.len() - 1]) {
                        circle.push(before);
                    }
                    circle.reverse();
                    return Some(circle);
                }
                if !came_from.contains_key(next.as_str()) {
                    came_from.insert(next, file);
                    waiting.push_back(next);
                }
            }
        }
        None
    }

    /// Imports of `file` by others than `importers`, each of which is a file or a folder.
    pub fn imported_from_elsewhere(&self, file: &str, importers: &[String]) -> Vec<String> {
        let may = |from: &str| {
            importers.iter().any(|importer| {
                from.strip_prefix(importer.trim_end_matches('/'))
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        self.0
            .iter()
            .filter(|(from, to)| to.contains(file) && !may(from))
            .map(|(from, _)| format!("{from} -> {file}, which only its own layer may import"))
            .collect()
    }
}
